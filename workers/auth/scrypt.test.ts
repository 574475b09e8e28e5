import { expect, test } from 'vitest';
import { nativeScrypt } from '../../containers/edge/scrypt.ts';
import { BusyFault } from '../../shared/staff/password-hash.ts';
import { scryptHere } from './scrypt.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

test.each([
  ['in the Worker', scryptHere],
  ['beside it', nativeScrypt],
])('%s the output is that of RFC 7914, section 12', async (_, scrypt) => {
  const hash = await scrypt(bytes('pleaseletmein'), bytes('SodiumChloride'), { logN: 14, r: 8, p: 1 });
  // The first 32 of the 64 bytes there.
  expect(Buffer.from(hash).toString('hex')).toBe(
    '7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2',
  );
});

test.each([
  ['in the Worker', scryptHere],
  ['beside it', nativeScrypt],
])('%s too many at once are turned away, and later ones are not', async (_, scrypt) => {
  const cheap = { logN: 4, r: 8, p: 1 };
  const many = await Promise.allSettled(
    Array.from({ length: 40 }, () => scrypt(bytes('x'), bytes('y'), cheap)),
  );
  const refused = many.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
  expect(refused.length).toBeGreaterThan(0);
  expect(refused.length).toBeLessThan(40);
  expect(refused.every((fault) => fault instanceof BusyFault)).toBe(true);
  expect(await scrypt(bytes('x'), bytes('y'), cheap)).toHaveLength(32);
});
