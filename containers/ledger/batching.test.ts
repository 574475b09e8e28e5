// Batches of commands, against a posting that is told when to answer.

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DatabaseFault } from '../../shared/database.ts';
import { batching, Overloaded, Withdrawn } from './batching.ts';

interface Command {
  loanId: string;
  n: number;
}
const fault = (sqlState?: string) => new DatabaseFault('away', { sqlState, cause: undefined });
const limits = { largestBatch: 10, mostWaiting: 1_000, lanes: 2 };
const turn = () => new Promise((resolve) => setImmediate(resolve));
const command = (loanId: string, n = 0): Command => ({ loanId, n });

describe('whatever arrives', () => {
  test('each loan sees its commands in their order, one batch at a time, and each command once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ loan: fc.nat(5), turns: fc.nat(2) }), { maxLength: 120 }),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 3 }),
        async (arrivals, largestBatch, lanes) => {
          const seen: Command[] = [];
          const underWay = new Set<string>();
          let running = 0;
          const { submit, state } = batching({
            ...limits,
            largestBatch,
            lanes,
            post: async (commands: readonly Command[]) => {
              running += 1;
              expect(running).toBeLessThanOrEqual(lanes);
              expect(commands.length).toBeLessThanOrEqual(largestBatch);
              const loans = new Set(commands.map(({ loanId }) => loanId));
              for (const loan of loans) {
                expect(underWay.has(loan)).toBe(false);
                underWay.add(loan);
              }
              await turn();
              for (const loan of loans) underWay.delete(loan);
              running -= 1;
              seen.push(...commands);
              return commands.map(({ n }) => n);
            },
          });
          const answers: Promise<number>[] = [];
          for (const [n, { loan, turns }] of arrivals.entries()) {
            answers.push(submit(command(`loan-${loan}`, n)));
            for (let i = 0; i < turns; i++) await turn();
          }
          expect(await Promise.all(answers)).toEqual(arrivals.map((_, n) => n));
          for (const [, own] of Map.groupBy(seen, ({ loanId }) => loanId))
            expect(own.map(({ n }) => n)).toEqual(own.map(({ n }) => n).toSorted((a, b) => a - b));
          expect(state()).toMatchObject({ waiting: 0, running: 0, commands: arrivals.length });
        },
      ),
      { numRuns: 60 },
    );
  });
});

test('what arrives while a batch runs shares the next one', async () => {
  const batches: number[] = [];
  const { submit } = batching({
    ...limits,
    lanes: 1,
    largestBatch: 100,
    post: async (commands: readonly Command[]) => {
      batches.push(commands.length);
      await turn();
      return commands.map(({ n }) => n);
    },
  });
  const first = submit(command('a'));
  await turn();
  await Promise.all([first, ...Array.from({ length: 50 }, (_, n) => submit(command('hot', n)))]);
  expect(batches).toEqual([1, 50]);
});

test('one command that faults takes no other along', async () => {
  const { submit } = batching({
    ...limits,
    post: async (commands: readonly Command[]) => {
      if (commands.some(({ n }) => n === 7)) throw new Error('a bug');
      return commands.map(({ n }) => n);
    },
  });
  const answers = await Promise.allSettled(
    Array.from({ length: 10 }, (_, n) => submit(command(`loan-${n % 3}`, n))),
  );
  expect(answers.map(({ status }) => status === 'fulfilled')).toEqual(answers.map((_, n) => n !== 7));
});

test('a lost race is run again, and while the database is away nobody is tried twice', async () => {
  let calls = 0;
  const racing = batching({
    ...limits,
    post: async (commands: readonly Command[]) => {
      calls += 1;
      if (calls < 3) throw fault('40P01');
      return commands.map(() => 'done');
    },
  });
  expect(await racing.submit(command('a'))).toBe('done');
  calls = 0;
  const away = batching({
    ...limits,
    post: async () => {
      calls += 1;
      throw fault();
    },
  });
  const answers = await Promise.allSettled([1, 2, 3].map((n) => away.submit(command(`loan-${n}`))));
  expect(answers.map((answer) => answer.status)).toEqual(['rejected', 'rejected', 'rejected']);
  expect(calls).toBe(1);
});

test('a full queue refuses, and who has gone is not posted', async () => {
  const posted: number[] = [];
  let go = () => {};
  const { submit } = batching({
    ...limits,
    lanes: 1,
    mostWaiting: 2,
    post: async (commands: readonly Command[]) => {
      posted.push(...commands.map(({ n }) => n));
      await new Promise<void>((resolve) => {
        go = resolve;
      });
      return commands.map(({ n }) => n);
    },
  });
  const first = submit(command('a', 1));
  await turn();
  await turn();
  const gone = new AbortController();
  const second = submit(command('a', 2), gone.signal);
  const third = submit(command('b', 3));
  await expect(submit(command('c', 4))).rejects.toThrow(Overloaded);
  gone.abort();
  go();
  await expect(second).rejects.toThrow(Withdrawn);
  await turn();
  go();
  expect(await Promise.all([first, third])).toEqual([1, 3]);
  expect(posted).toEqual([1, 3]);
});
