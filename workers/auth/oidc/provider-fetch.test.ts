import { expect, test } from 'vitest';
import { providerFetch } from './provider-fetch.ts';

test.each([
  'https://id.evil.example/keys',
  'http://id.bank.example/keys',
  'https://id.bank.example:8443/keys',
  'http://169.254.169.254/latest/meta-data',
])('%s is not asked where only another origin may be', async (url) => {
  const asking = providerFetch(['https://id.bank.example'])(url, {
    method: 'GET',
    headers: {},
    body: undefined,
    redirect: 'manual',
  });
  await expect(asking).rejects.toThrow('is neither its issuer nor allowed');
});
