import { expect, test } from 'vitest';
import * as z from 'zod/mini';
import { parseSettings } from '../../../shared/settings.ts';
import { oidcSettings, oidcVariables } from './settings.ts';

const whole = {
  OIDC_ISSUER: 'https://id.bank.example/realms/staff',
  OIDC_CLIENT_ID: 'recoup',
  OIDC_CLIENT_SECRET: 'secret',
};
const read = (env: Record<string, string>) =>
  oidcSettings(parseSettings('auth', z.object(oidcVariables), env));

test('an issuer’s own origin is where its endpoints may be, and those that are named', () => {
  expect(read(whole)).toMatchObject({ origins: ['https://id.bank.example'], scopes: 'openid profile email' });
  const origins = 'https://keys.bank.example, http://127.0.0.1:8080';
  expect(read({ ...whole, OIDC_ORIGINS: origins })?.origins).toEqual([
    'https://id.bank.example',
    'https://keys.bank.example',
    'http://127.0.0.1:8080',
  ]);
  expect(read({})).toBeUndefined();
});

test.each([
  ['OIDC_ISSUER', 'http://id.bank.example'],
  ['OIDC_ISSUER', 'http://127.0.0.1.evil.example'],
  ['OIDC_ISSUER', 'http://169.254.169.254/latest/meta-data'],
  ['OIDC_ISSUER', 'ftp://id.bank.example'],
  ['OIDC_ISSUER', 'https://user:password@id.bank.example'],
  ['OIDC_ISSUER', 'https://id.bank.example/?tenant=1'],
  ['OIDC_ISSUER', 'id.bank.example'],
  ['OIDC_ORIGINS', 'https://keys.bank.example/path'],
  ['OIDC_ORIGINS', 'http://keys.bank.example'],
  ['OIDC_ORIGINS', '*'],
  ['OIDC_SCOPES', 'profile'],
])('%s %s stops the process', (name, value) => {
  expect(() => read({ ...whole, [name]: value })).toThrow(`${name}`);
  expect(() => read({ ...whole, [name]: value })).not.toThrow(value);
});

test.each(Object.keys(whole))('%s is missed where the others are', (name) => {
  const { [name as keyof typeof whole]: _, ...rest } = whole;
  expect(() => read(rest)).toThrow(`${name}: is missing, the three of them belong together`);
});
