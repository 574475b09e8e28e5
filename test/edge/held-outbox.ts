// Payments that arrive while the database cannot commit, and how many transactions they came to in the end.

import { setTimeout as sleep } from 'node:timers/promises';
import type { World } from './world.ts';

/** Long enough for every request to have arrived, short enough for no time limit. */
const heldMs = 700;

export async function whileOutboxIsHeld<T>(world: World, start: () => Promise<T>[]): Promise<T[]> {
  let started: Promise<T>[] = [];
  await world.db.transaction(async (tx) => {
    await tx.query('lock table outbox.messages in exclusive mode');
    started = start();
    await sleep(heldMs);
  });
  return Promise.all(started);
}

/** How many transactions wrote the payments' references. */
export async function transactionsOf(
  world: World,
  payments: ReadonlyArray<{ reference_number: string }>,
): Promise<number> {
  const [row] = await world.db.query<{ count: number }>(
    `select count(distinct xmin::text)::int as count from payment_service.payment_references
     where reference_number = any ($1)`,
    [payments.map(({ reference_number }) => reference_number)],
  );
  return row?.count ?? 0;
}
