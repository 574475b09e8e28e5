import { expect, test } from 'vitest';
import * as z from 'zod/mini';
import { newSignInKey, signInKeysSetting } from './sign-in-keys.ts';

const open = (text: string) => z.parse(signInKeysSetting, text);
const a = newSignInKey('a');
const b = newSignInKey('b');

test('what is encrypted is read again by its owner’s name, and by no other', async () => {
  const keys = open(a);
  const sealed = await keys.encrypt('a secret', 'ada');
  expect(sealed).toMatch(/^a:/);
  expect(await keys.decrypt(sealed, 'ada')).toBe('a secret');
  await expect(keys.decrypt(sealed, 'bob')).rejects.toThrow();
  await expect(keys.decrypt(`${sealed.slice(0, -2)}AA`, 'ada')).rejects.toThrow();
  expect(await keys.encrypt('a secret', 'ada')).not.toBe(sealed);
});

test('a new key in front encrypts, and the old one behind it still decrypts', async () => {
  const sealed = await open(a).encrypt('a secret', 'ada');
  const rotated = open(`${b}, ${a}`);
  expect(await rotated.decrypt(sealed, 'ada')).toBe('a secret');
  expect(await rotated.encrypt('x', 'ada')).toMatch(/^b:/);
  await expect(open(b).decrypt(sealed, 'ada')).rejects.toThrow('the key a is not among SIGN_IN_KEYS');
});

test('the same text has the same hash under the same key only', async () => {
  const hash = await open(a).hash('x');
  expect(hash).toMatch(/^[0-9a-f]{64}$/);
  expect(await open(`${a},${b}`).hash('x')).toBe(hash);
  expect(await open(a).hash('y')).not.toBe(hash);
  expect(await open(b).hash('x')).not.toBe(hash);
});

test.each(['', 'a', 'a:x', `${a},`, `${a},${a}`, a.slice(0, -2), a.replace('a:', ':')])(
  '%j is no setting',
  (text) => {
    const parsed = z.safeParse(signInKeysSetting, text);
    expect(parsed.success).toBe(false);
    expect(parsed.error?.issues[0]?.message).toMatch(/^expected <name>:<base64 of 32 bytes>/);
  },
);
