import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Incoming } from './fold-batch.ts';
import { anyDelivery, anyEvents, dump, empty, sorted } from './projections/testing.ts';
import { type Folding, incoming, openFolding } from './testing.ts';

let folding: Folding;
let owner: Folding['owner'];
let foldRead: Folding['foldRead'];

beforeAll(async () => {
  folding = await openFolding();
  ({ owner, foldRead } = folding);
});
afterAll(() => folding.close());

const foldInto = async (batches: readonly Incoming[][]) => {
  await empty(owner);
  const outcomes: string[] = [];
  for (const batch of batches) outcomes.push(...(await foldRead(batch)));
  return { outcomes, tables: await dump(owner) };
};

test('the same events in any order, any batches and any repetition end in the same tables', async () => {
  const inAnyWay = anyEvents(60).chain((events) => {
    const batch = sorted(events).map((one) => incoming(one));
    return fc.record({ batch: fc.constant(batch), delivery: anyDelivery(batch) });
  });
  await fc.assert(
    fc.asyncProperty(inAnyWay, async ({ batch, delivery }) => {
      const once = await foldInto([batch]);
      const disordered = await foldInto(delivery);
      expect(disordered.tables).toEqual(once.tables);
      expect(disordered.outcomes.filter((outcome) => outcome === 'folded')).toHaveLength(batch.length);
      expect(disordered.outcomes.filter((outcome) => outcome === 'conflict')).toEqual([]);
    }),
    { numRuns: 30, endOnFailure: true },
  );
}, 60_000);

test('what an event’s facts leave of it ends in the same tables in any order, too', async () => {
  const batch = fc.sample(anyEvents(60), 1)[0] as ReturnType<typeof sorted>;
  const incomings = batch.map((one) => incoming(one));
  const erased = async (batches: readonly Incoming[][]) => {
    await empty(owner);
    await owner.query(
      `insert into servicing.subject_keys (subject, erased_at) select distinct unnest($1::text[]), timestamptz '2026-01-01'`,
      [incomings.map(({ read }) => read.subject)],
    );
    for (const some of batches) await foldRead(some);
    return dump(owner);
  };
  const once = await erased([incomings]);
  expect(await erased(incomings.toReversed().map((one) => [one]))).toEqual(once);
  expect(once.events).toHaveLength(batch.length);
});
