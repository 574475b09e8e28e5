// A payment's way from the Worker to the object that commits it, and its outcome's way back, as text. Whole: minor
// units keep their digits, the instant its milliseconds, a fault what Postgres called it.

import { DatabaseFault } from '../../shared/database.ts';
import type { NewPayment, Recorded } from '../../shared/payments/payment.ts';

/** JSON has no bigint and no Date. */
export const paymentToText = (payment: NewPayment): string =>
  JSON.stringify({
    ...payment,
    amount: { ...payment.amount, amountMinor: String(payment.amount.amountMinor) },
  });

export function paymentFromText(text: string): NewPayment {
  const payment = JSON.parse(text);
  payment.amount.amountMinor = BigInt(payment.amount.amountMinor);
  payment.paymentDate = new Date(payment.paymentDate);
  return payment;
}

type Outcome = { recorded: Recorded } | { fault: { message: string; sqlState: string | undefined } };

/** Waits for the outcome. What is no DatabaseFault is thrown: the object itself failed, and says so. */
export async function outcomeToText(recording: Promise<Recorded>): Promise<string> {
  const outcome: Outcome = await recording.then(
    (recorded) => ({ recorded }),
    (error: unknown) => {
      if (!(error instanceof DatabaseFault)) throw error;
      return { fault: { message: error.message, sqlState: error.sqlState } };
    },
  );
  return JSON.stringify(outcome);
}

/** Throws the fault that the text tells of. */
export function recordedFromText(text: string): Recorded {
  const outcome: Outcome = JSON.parse(text);
  if ('recorded' in outcome) return outcome.recorded;
  const { message, sqlState } = outcome.fault;
  throw new DatabaseFault(message, { sqlState, cause: undefined });
}
