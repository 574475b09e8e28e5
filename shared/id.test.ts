import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isUuid, sha256, uuidOf } from './id.ts';

const dns = '6ba7b810-9dad-11d1-80b4-00c04fd430c8';
const url = '6ba7b811-9dad-11d1-80b4-00c04fd430c8';

test.each([
  // RFC 9562, appendix A.4.
  [dns, 'www.example.com', '2ed6657d-e927-568b-95e1-2665a8aea6a2'],
  // The documentation of Python's uuid module.
  [dns, 'python.org', '886313e1-3b8a-5372-9b90-0c9aee199e5d'],
])('within %s the name %s has its published id', async (space, name, id) => {
  expect(await uuidOf(space, name)).toBe(id);
});

test('an id is the SHA-1 of space and name, marked as version 5 of the RFC’s variant', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uuid(),
      fc.string({ unit: 'grapheme', maxLength: 2_000, size: 'max' }),
      async (space, name) => {
        const digest = createHash('sha1')
          .update(Buffer.from(space.replaceAll('-', ''), 'hex'))
          .update(name)
          .digest('hex');
        const id = await uuidOf(space, name);
        expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
        const plain = id.replaceAll('-', '');
        expect(plain.slice(0, 12)).toBe(digest.slice(0, 12));
        expect(plain.slice(13, 16)).toBe(digest.slice(13, 16));
        expect(plain.slice(17)).toBe(digest.slice(17, 32));
      },
    ),
  );
});

test('the spelling of the space does not matter, but the space itself does', async () => {
  expect(await uuidOf(dns.toUpperCase(), 'a')).toBe(await uuidOf(dns, 'a'));
  expect(await uuidOf(url, 'a')).not.toBe(await uuidOf(dns, 'a'));
});

test('a hash is SHA-256 of the text as UTF-8, in hex', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'grapheme' }), async (text) => {
      expect(await sha256(text)).toBe(createHash('sha256').update(text, 'utf8').digest('hex'));
    }),
  );
});

test.each([dns, dns.toUpperCase(), '00000000-0000-0000-0000-000000000000'])('%s is a UUID', (text) => {
  expect(isUuid(text)).toBe(true);
});

test.each([
  '',
  dns.slice(1),
  `${dns}\n`,
  ` ${dns}`,
  dns.replaceAll('-', ''),
  `{${dns}}`,
  dns.replace('6', 'g'),
])('%j is no UUID', (text) => expect(isUuid(text)).toBe(false));
