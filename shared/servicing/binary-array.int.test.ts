import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { binaryArray } from './binary-array.ts';
import { type Folding, openFolding } from './testing.ts';

let folding: Folding;
beforeAll(async () => {
  folding = await openFolding();
});
afterAll(() => folding.close());

const text = fc
  .oneof(
    fc.string({ unit: 'binary', maxLength: 100 }),
    fc.constantFrom('', '{', '"', '\\', 'NULL', 'é'.repeat(40)),
  )
  .filter((value) => value.isWellFormed() && !value.includes('\u0000'));

test('Postgres reads the texts that were written, whatever is in them', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.option(text)), async (values) => {
      const [row] = await folding.db.query('select $1::text[] as values', [binaryArray('text', values)]);
      expect(row).toEqual({ values });
    }),
  );
});

test('and bytes, and more of them than there was room for', async () => {
  const values = [new Uint8Array([0, 255]), null, new Uint8Array(300_000).fill(7), new Uint8Array()];
  const [row] = await folding.db.query<{ values: Array<Uint8Array | null> }>('select $1::bytea[] as values', [
    binaryArray('bytea', values),
  ]);
  expect(row?.values.map((value) => value && [...value])).toEqual(values.map((value) => value && [...value]));
});
