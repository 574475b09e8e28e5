// The Durable Object in which payments of all isolates meet, so that they share statements. It keeps nothing but the
// payments that wait: when it is away, restarted or slow, the Worker records directly (commit-payment.ts), and the
// database tells what was recorded already.

import { type CommitPayment, groupCommit, groupCommitLimits } from '../../shared/payments/group-commit.ts';
import { recordPayments } from '../../shared/payments/record-payments.ts';
import { openDatabase } from '../database.ts';
import { readWebhooksSettings } from './env.ts';
import { outcomeToText, paymentFromText } from './payment-wire.ts';

export class PaymentCommits {
  #commit: CommitPayment;

  constructor(_state: unknown, env: Record<string, unknown>) {
    const db = openDatabase(readWebhooksSettings(env).database);
    this.#commit = groupCommit((payments) => recordPayments(db, payments), groupCommitLimits);
  }

  /** Only the Worker's binding leads here: what comes has been signed and validated. */
  async fetch(request: Request): Promise<Response> {
    return new Response(await outcomeToText(this.#commit(paymentFromText(await request.text()))));
  }
}
