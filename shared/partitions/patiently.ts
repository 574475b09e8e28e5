// Changes to the payments table need locks that its writers and readers hold for moments. Who waits for one makes all
// others wait behind it, so the wait is short, and is tried again:
//
//   attempt        1    2    3    4     5     6 to 12
//   waits (ms)   100  200  400  800  1600  2000
//   pause after  250  500 1000 2000  4000  5000       (ms)

import { DatabaseFault } from '../database.ts';

const attempts = 12;

/** Lock not available, deadlock: the transaction is undone and may be tried again. */
const isCollision = (error: unknown) =>
  error instanceof DatabaseFault && (error.sqlState === '55P03' || error.sqlState === '40P01');

/** Throws what the work throws, and after the last attempt the collision. */
export async function patiently<T>(
  work: (lockTimeoutMs: number) => Promise<T>,
  pause: (ms: number) => Promise<void>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const doubled = 2 ** (attempt - 1);
    try {
      return await work(Math.min(2_000, 100 * doubled));
    } catch (error) {
      if (!isCollision(error) || attempt === attempts) throw error;
      await pause(Math.min(5_000, 250 * doubled));
    }
  }
}
