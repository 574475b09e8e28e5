import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DatabaseFault } from '../database.ts';
import { groupCommit } from './group-commit.ts';
import type { NewPayment, Recorded } from './payment.ts';
import { newPayment } from './testing.ts';

const away = () => new DatabaseFault('away', { cause: undefined });
const broken = () => new DatabaseFault('broken', { sqlState: '22003', cause: undefined });
const named = (referenceNumber: string) => newPayment({ referenceNumber });
const outcome = ({ referenceNumber }: NewPayment): Recorded => ({
  outcome: 'created',
  paymentId: referenceNumber,
});

/** A verb whose statements end when the test says so. */
function heldVerb() {
  const statements: Array<{ payments: readonly NewPayment[]; end: (fault?: unknown) => void }> = [];
  const record = (payments: readonly NewPayment[]) =>
    new Promise<Recorded[]>((resolve, reject) => {
      statements.push({
        payments,
        end: (fault) => (fault === undefined ? resolve(payments.map(outcome)) : reject(fault)),
      });
    });
  return { record, statements, sizes: () => statements.map(({ payments }) => payments.length) };
}

const turns = () => new Promise((resolve) => setTimeout(resolve, 0));

describe('what arrives together', () => {
  test('alone, a payment waits for nobody', async () => {
    const { record, statements } = heldVerb();
    const commit = groupCommit(record, { perStatement: 10, inFlight: 1, slowMs: 50, waiting: 10 });
    const committed = commit(named('A'));
    expect(statements).toHaveLength(1);
    statements[0]!.end();
    expect(await committed).toEqual({ outcome: 'created', paymentId: 'A' });
  });

  test('payments that arrive while a statement is in flight share the next one, in their order', async () => {
    const { record, statements, sizes } = heldVerb();
    const commit = groupCommit(record, { perStatement: 10, inFlight: 1, slowMs: 50, waiting: 10 });
    const all = Promise.all(['A', 'B', 'C', 'D'].map((name) => commit(named(name))));
    expect(sizes()).toEqual([1]);
    statements[0]!.end();
    await turns();
    expect(sizes()).toEqual([1, 3]);
    expect(statements[1]!.payments.map((payment) => payment.referenceNumber)).toEqual(['B', 'C', 'D']);
    statements[1]!.end();
    expect((await all).map(({ paymentId }) => paymentId)).toEqual(['A', 'B', 'C', 'D']);
  });

  test('a statement takes no more than its limit, and no more statements run at once than theirs', async () => {
    const { record, statements, sizes } = heldVerb();
    const commit = groupCommit(record, { perStatement: 2, inFlight: 1, slowMs: 50, waiting: 100 });
    const all = Promise.all(Array.from({ length: 6 }, () => commit(newPayment())));
    expect(sizes()).toEqual([1]);
    for (let next = 0; next < 4; next++) {
      await turns();
      statements[next]!.end();
    }
    await all;
    expect(sizes()).toEqual([1, 2, 2, 1]);
  });

  test('a slow statement holds nobody up: others start beside it, as many as may', async () => {
    const { record, statements, sizes } = heldVerb();
    let now = 0;
    const limits = { perStatement: 10, inFlight: 3, slowMs: 50, waiting: 100 };
    const commit = groupCommit(record, limits, () => now);
    const committed = ['A', 'B'].map((name) => commit(named(name)));
    expect(sizes()).toEqual([1]);
    now = 51;
    committed.push(commit(named('C')));
    expect(sizes()).toEqual([1, 2]);
    now = 102;
    committed.push(commit(named('D')));
    now = 153;
    committed.push(commit(named('E')));
    expect(sizes()).toEqual([1, 2, 1]);
    statements[1]!.end();
    await turns();
    expect(sizes()).toEqual([1, 2, 1, 1]);
    for (const statement of statements) statement.end();
    expect((await Promise.all(committed)).map(({ paymentId }) => paymentId)).toEqual([
      'A',
      'B',
      'C',
      'D',
      'E',
    ]);
  });

  test('whoever finds too many waiting is told to try again, and the others are served', async () => {
    const { record, statements } = heldVerb();
    const commit = groupCommit(record, { perStatement: 10, inFlight: 1, slowMs: 50, waiting: 2 });
    const served = ['A', 'B', 'C'].map((name) => commit(named(name)));
    const fault = await commit(named('D')).catch((error: unknown) => error);
    expect(fault).toBeInstanceOf(DatabaseFault);
    expect((fault as DatabaseFault).retryable).toBe(true);
    statements[0]!.end();
    await turns();
    statements[1]!.end();
    expect((await Promise.all(served)).map(({ paymentId }) => paymentId)).toEqual(['A', 'B', 'C']);
  });

  test('after a quiet moment it works as at the start', async () => {
    const { record, statements, sizes } = heldVerb();
    const commit = groupCommit(record, { perStatement: 10, inFlight: 1, slowMs: 50, waiting: 10 });
    for (const name of ['A', 'B']) {
      const committed = commit(named(name));
      await turns();
      statements.at(-1)!.end();
      await committed;
    }
    expect(sizes()).toEqual([1, 1]);
  });
});

describe('faults', () => {
  test('a database that is away fails all of them with one statement', async () => {
    const { record, statements, sizes } = heldVerb();
    const commit = groupCommit(record, { perStatement: 10, inFlight: 1, slowMs: 50, waiting: 10 });
    const all = Promise.allSettled(['A', 'B', 'C'].map((name) => commit(named(name))));
    statements[0]!.end();
    await turns();
    const fault = away();
    statements[1]!.end(fault);
    expect(await all).toMatchObject([
      { status: 'fulfilled' },
      { status: 'rejected', reason: fault },
      { status: 'rejected', reason: fault },
    ]);
    expect(sizes()).toEqual([1, 2]);
  });

  test('those that wait while the database does not answer have its fault too, and the next one is tried anew', async () => {
    const { record, statements, sizes } = heldVerb();
    const commit = groupCommit(record, { perStatement: 1, inFlight: 1, slowMs: 50, waiting: 10 });
    const all = Promise.allSettled(['A', 'B', 'C'].map((name) => commit(named(name))));
    const fault = away();
    statements[0]!.end(fault);
    expect(await all).toMatchObject([{ reason: fault }, { reason: fault }, { reason: fault }]);
    const next = commit(named('D'));
    await turns();
    expect(sizes()).toEqual([1, 1]);
    statements[1]!.end();
    expect((await next).paymentId).toBe('D');
  });

  test('a database that answers with a fault is asked for those that wait', async () => {
    const { record, statements } = heldVerb();
    const commit = groupCommit(record, { perStatement: 1, inFlight: 1, slowMs: 50, waiting: 10 });
    const all = Promise.allSettled(['A', 'B'].map((name) => commit(named(name))));
    statements[0]!.end(new DatabaseFault('', { sqlState: '40P01', cause: undefined }));
    await turns();
    statements[1]!.end();
    expect((await all).map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
  });

  test('one bad payment among two hundred fails alone, found with two statements for each halving', async () => {
    let statements = 0;
    const record = async (payments: readonly NewPayment[]) => {
      statements += 1;
      if (payments.some(({ referenceNumber }) => referenceNumber === 'bad')) throw broken();
      return payments.map(outcome);
    };
    const commit = groupCommit(record, { perStatement: 200, inFlight: 1, slowMs: 50, waiting: 1_000 });
    const references = Array.from({ length: 200 }, (_, i) => (i === 77 ? 'bad' : `good-${i}`));
    const results = await Promise.allSettled([named('first'), ...references.map(named)].map(commit));
    expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(1);
    expect(results[78]).toMatchObject({ status: 'rejected', reason: { sqlState: '22003' } });
    expect(statements).toBeLessThanOrEqual(2 + 2 * Math.ceil(Math.log2(200)));
  });

  test('when the database goes away between two halves, what was recorded says so and the rest may be repeated', async () => {
    const seen: number[] = [];
    const record = async (payments: readonly NewPayment[]) => {
      seen.push(payments.length);
      if (seen.length === 2) throw broken();
      if (seen.length === 4) throw away();
      return payments.map(outcome);
    };
    const commit = groupCommit(record, { perStatement: 10, inFlight: 1, slowMs: 50, waiting: 10 });
    const results = await Promise.allSettled(['A', 'B', 'C', 'D', 'E'].map((name) => commit(named(name))));
    expect(seen).toEqual([1, 4, 2, 2]);
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'rejected',
      'rejected',
    ]);
    expect(results[4]).toMatchObject({ reason: { retryable: true } });
  });
});

test('whatever is bad, whatever the limits: each payment has its own outcome or its own fault, once', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ bad: fc.boolean(), pauseBefore: fc.boolean() }), { maxLength: 60 }),
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 4 }),
      async (arrivals, perStatement, inFlight) => {
        const recordedTimes = new Map<string, number>();
        let running = 0;
        const record = async (payments: readonly NewPayment[]) => {
          expect(payments.length).toBeLessThanOrEqual(perStatement);
          expect(++running).toBeLessThanOrEqual(inFlight);
          await Promise.resolve();
          running -= 1;
          if (payments.some(({ referenceNumber }) => referenceNumber.startsWith('bad'))) throw broken();
          for (const { referenceNumber } of payments) {
            recordedTimes.set(referenceNumber, (recordedTimes.get(referenceNumber) ?? 0) + 1);
          }
          return payments.map(outcome);
        };
        let now = 0;
        const limits = { perStatement, inFlight, slowMs: 50, waiting: 100 };
        const commit = groupCommit(record, limits, () => (now += 20));
        const pending: Promise<Recorded>[] = [];
        for (const [i, { bad, pauseBefore }] of arrivals.entries()) {
          if (pauseBefore) await Promise.resolve();
          const committed = commit(named(`${bad ? 'bad' : 'good'}-${i}`));
          committed.catch(() => {});
          pending.push(committed);
        }
        const results = await Promise.allSettled(pending);
        for (const [i, { bad }] of arrivals.entries()) {
          expect(results[i]).toMatchObject(
            bad
              ? { status: 'rejected', reason: { sqlState: '22003' } }
              : { status: 'fulfilled', value: { paymentId: `good-${i}` } },
          );
          expect(recordedTimes.get(`good-${i}`) ?? 0).toBe(bad ? 0 : 1);
        }
      },
    ),
  );
});
