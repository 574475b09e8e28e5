import { expect, test } from 'vitest';
import { hashPassword, type Scrypt, scryptCost, verifyPassword } from './password-hash.ts';

/** Quick and of no use but here: what goes in decides what comes out. */
const scrypt: Scrypt = async (password, salt, { logN, r, p }) => {
  const cost = new TextEncoder().encode(`${logN} ${r} ${p}`);
  const bytes = new Uint8Array([...password, 0, ...salt, 0, ...cost]);
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
};

test('a password is known again by its hash, and no other is', async () => {
  const hash = await hashPassword(scrypt, 'correct horse battery');
  expect(hash).toMatch(/^\$scrypt\$ln=14,r=8,p=5\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  expect(await verifyPassword(scrypt, 'correct horse battery', hash)).toEqual({
    right: true,
    outdated: false,
  });
  for (const other of ['', 'correct horse batterY', 'correct horse battery ']) {
    expect(await verifyPassword(scrypt, other, hash)).toEqual({ right: false, outdated: false });
  }
});

test('the same password has another hash every time', async () => {
  const hashes = await Promise.all(Array.from({ length: 20 }, () => hashPassword(scrypt, 'the same one')));
  expect(new Set(hashes).size).toBe(20);
});

test('the same text typed another way is the same password', async () => {
  const hash = await hashPassword(scrypt, 'caf\u00e9 \ufb01lter');
  expect((await verifyPassword(scrypt, 'cafe\u0301 filter', hash)).right).toBe(true);
});

test('a hash of another cost is verified at that cost, and said to be outdated', async () => {
  const salt = new Uint8Array(16);
  const old = { logN: 13, r: 8, p: 10 };
  const encode = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64').replace(/=+$/, '');
  const hash = encode(await scrypt(new TextEncoder().encode('an old one'), salt, old));
  const text = `$scrypt$ln=13,r=8,p=10$${encode(salt)}$${hash}`;
  expect(await verifyPassword(scrypt, 'an old one', text)).toEqual({ right: true, outdated: true });
});

test.each([
  null,
  '',
  'none',
  '$scrypt$ln=14,r=8,p=5$x$y',
  `$scrypt$ln=30,r=8,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`,
  `$scrypt$ln=0,r=8,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`,
])('against %j nothing is right, and it is computed all the same', async (text) => {
  const costs: unknown[] = [];
  const watched: Scrypt = (password, salt, cost) => {
    costs.push(cost);
    return scrypt(password, salt, cost);
  };
  expect(await verifyPassword(watched, 'whatever it is', text)).toEqual({ right: false, outdated: false });
  expect(costs).toEqual([scryptCost]);
});
