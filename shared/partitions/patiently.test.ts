import { expect, test } from 'vitest';
import { DatabaseFault } from '../database.ts';
import { patiently } from './patiently.ts';

const fault = (sqlState: string) => new DatabaseFault('', { sqlState, cause: undefined });

async function tried(failures: Error[]) {
  const waits: number[] = [];
  const pauses: number[] = [];
  const work = async (lockTimeoutMs: number) => {
    waits.push(lockTimeoutMs);
    const failure = failures.shift();
    if (failure) throw failure;
    return 'done';
  };
  const outcome = await patiently(work, async (ms) => void pauses.push(ms)).catch((error) => error);
  return { outcome, waits, pauses };
}

test('collisions are tried again, waiting longer each time', async () => {
  const { outcome, waits, pauses } = await tried([fault('55P03'), fault('40P01'), fault('55P03')]);
  expect(outcome).toBe('done');
  expect(waits).toEqual([100, 200, 400, 800]);
  expect(pauses).toEqual([250, 500, 1_000]);
});

test('it gives up after twelve, and never waits longer than two seconds for a lock', async () => {
  const { outcome, waits, pauses } = await tried(Array.from({ length: 20 }, () => fault('55P03')));
  expect(outcome).toMatchObject({ sqlState: '55P03' });
  expect(waits).toHaveLength(12);
  expect(Math.max(...waits)).toBe(2_000);
  expect(Math.max(...pauses)).toBe(5_000);
});

test('any other fault is thrown at once', async () => {
  const { outcome, waits } = await tried([fault('23505')]);
  expect(outcome).toMatchObject({ sqlState: '23505' });
  expect(waits).toHaveLength(1);
});
