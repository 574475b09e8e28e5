import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { nextHash, parseHead, written } from './chain.ts';

test('each hash is SHA-256 of the hash before it and of the text', async () => {
  const sha256 = (...parts: (Buffer | string)[]) =>
    parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest('hex');
  const first = await nextHash('', 'größe');
  expect(first).toBe(sha256('größe'));
  expect(await nextHash(first, '[2]')).toBe(sha256(Buffer.from(first, 'hex'), '[2]'));
});

test('a head is read as it is written, and nothing else is', () => {
  const head = { hash: 'ab'.repeat(32), position: 17 };
  expect(parseHead(written(head))).toEqual(head);
  expect(parseHead(` ${written(head)}\n`)).toEqual(head);
  for (const other of ['', ':17', `${head.hash}:0`, `${head.hash}`, `${head.hash}:1e3`, `${head.hash}0:17`])
    expect(parseHead(other)).toBeUndefined();
});
