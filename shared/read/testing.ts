// For tests only: projections in a database of the test file's own, made by folding events, and read as the API does.

import { afterAll, beforeAll } from 'vitest';
import { openPool, type Pool } from '../../containers/database.ts';
import { openVault } from '../../containers/projector/vault.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import type { TransactionalDatabase } from '../database.ts';
import { type Folded, foldBatch } from '../servicing/fold-batch.ts';
import { event, incoming, rules } from '../servicing/testing.ts';

export const place = { timeZone: rules.timeZone, currency: rules.currency };

export interface Projections {
  /** As the role of the API. */
  api: Pool;
  apiUrl: string;
  owner: Pool;
  fold(...events: ReturnType<typeof event>[]): Promise<Folded[]>;
}

const vault = openVault([{ name: 'test', key: new Uint8Array(32).fill(7) }]);

export const foldInto = (db: TransactionalDatabase, events: ReturnType<typeof event>[]): Promise<Folded[]> =>
  db.transaction((tx) =>
    foldBatch(
      tx,
      events.map((one) => incoming(one)),
      { vault, rules },
    ),
  );

/** To be called at the top of a file or in a `describe`. */
export function useProjections(): Projections {
  let database: TestDatabase;
  let projector: Pool;
  const projections = { fold: (...events) => foldInto(projector, events) } as Projections;
  beforeAll(async () => {
    database = await createTestDatabase();
    const open = (url: string) =>
      openPool({ url, min: 0, max: 2, applicationName: 'test', timeoutMs: 20_000 });
    projections.owner = open(database.url);
    projections.apiUrl = database.urlFor('recoup_api');
    projections.api = open(projections.apiUrl);
    projector = open(database.urlFor('recoup_projector'));
  });
  afterAll(async () => {
    await Promise.all([projections.owner.close(), projections.api.close(), projector.close()]);
    await database.drop();
  });
  return projections;
}

/** An event of our own log about a payment for a loan number. */
export const recorded = (
  paymentId: string,
  loanAccountNumber: string,
  amount: string,
  more: Record<string, unknown> = {},
) =>
  event('payment.recorded', {
    payment: {
      id: paymentId,
      reference_number: `REF-${paymentId}`,
      loan_account_number: loanAccountNumber,
      cif: 'CIF-1',
      amount,
      currency: 'EUR',
      payment_date: '2026-03-10T09:00:00Z',
      ...more,
    },
  });

export const reversed = (paymentId: string, loanAccountNumber: string, amount: string, total: string) =>
  event('payment.reversed', {
    payment: { id: paymentId, loan_account_number: loanAccountNumber, amount, currency: 'EUR' },
    reversal: { reversed_total: total, currency: 'EUR' },
  });
