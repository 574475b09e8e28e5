// What an ETL left in a row of payment_staging becomes a NewPayment, or every fault of every field at once: the same
// rules as for a webhook's body. Pure; nothing is assumed of a row but its columns' types.

import { calendarDate, parseInstant } from '../calendar-date.ts';
import { parseExactJson } from '../exact-json.ts';
import { parseAmount } from '../money.ts';
import { maskCardData, maskCardText } from '../payments/mask-card-data.ts';
import type { NewPayment } from '../payments/payment.ts';
import {
  amountMessages,
  type Business,
  currencyMessage,
  type FieldFault,
  identifierFault,
  identifierLimits,
  identifierMessage,
  isCurrency,
} from '../payments/payment-fields.ts';
import { ok, type Result, refused } from '../result.ts';

/** A row's payment as text; null where the column is. */
export interface StagedRow {
  reference_number: string | null;
  loan_account_number: string | null;
  cif: string | null;
  /** numeric without trailing zeros; may be NaN or Infinity. */
  amount: string | null;
  currency: string | null;
  /** A timestamp without zone in Postgres' ISO style; may be infinity or BC. */
  payment_date: string | null;
  payment_channel: string | null;
  /** jsonb as text. */
  metadata: string | null;
}

/** Characters of metadata, as many as a webhook's whole body may have bytes. */
export const metadataLimit = 64 * 1024;

/** The channel of rows that name none. */
const channel = 'staging';
/** The one that channels share unless told otherwise, so that the reference alone decides. */
const namespace = 'default';

export type ReadStagedRow = (row: StagedRow) => Result<NewPayment, FieldFault[]>;

const identifiers = Object.entries(identifierLimits) as [keyof typeof identifierLimits, number][];

export function createStagedRowReader({ timeZone, currency: defaultCurrency }: Business): ReadStagedRow {
  return (row) => {
    const faults: FieldFault[] = [];
    const invalid = (field: string, message: string) => faults.push({ field, code: 'invalid', message });

    for (const [field, limit] of identifiers) {
      const text = row[field];
      if (text === null && field === 'payment_channel') continue;
      const fault = text === null ? identifierMessage(limit) : identifierFault(text, limit);
      if (fault !== undefined) invalid(field, fault);
    }

    const metadata = readMetadata(row.metadata ?? '{}');
    if (!metadata.ok) invalid('metadata', metadata.refusal);
    const currency = row.currency ?? (metadata.ok ? metadata.value.currency : undefined) ?? defaultCurrency;

    const paymentDate = row.payment_date === null ? undefined : parseInstant(row.payment_date, timeZone);
    if (!paymentDate) invalid('payment_date', 'expected a date and time of the years 0001 to 9999');

    // The amount is judged even where other fields are wrong, as long as its currency is known.
    if (!isCurrency(currency)) {
      invalid('currency', currencyMessage);
      return refused(faults);
    }
    const amount = parseAmount(row.amount ?? '', currency);
    if (!amount.ok) {
      faults.push({ field: 'amount', code: amount.refusal, message: amountMessages[amount.refusal] });
    }
    if (faults.length > 0 || !amount.ok || !paymentDate || !metadata.ok) return refused(faults);
    return ok({
      namespace,
      referenceNumber: row.reference_number as string,
      loanAccountNumber: row.loan_account_number as string,
      cif: row.cif as string,
      amount: amount.value,
      paymentDate,
      paidOn: calendarDate(paymentDate, timeZone),
      paymentChannel: maskCardText(row.payment_channel ?? channel),
      metadata: metadata.value.text,
      requiresReceipt: false,
      source: 'staging',
      actor: 'job:staging',
    });
  };
}

/** The metadata with card data masked and its currency, of whatever type, or why it cannot be kept. */
function readMetadata(text: string): Result<{ text: string; currency: unknown }, string> {
  if (text === '{}') return ok({ text, currency: undefined });
  // jsonb writes an object, and only an object, with this first.
  if (!text.startsWith('{')) return refused('expected an object');
  if (text.length > metadataLimit) return refused(`expected at most ${metadataLimit} characters`);
  try {
    const metadata = maskCardData(parseExactJson(text) as { currency?: unknown });
    return ok({ text: JSON.stringify(metadata), currency: metadata.currency ?? undefined });
  } catch (error) {
    if (error instanceof SyntaxError) return refused(error.message);
    throw error;
  }
}

/** What a quarantined row is listed under: its first fault. */
export const reasonOf = ([first]: readonly FieldFault[]): string =>
  first === undefined || first.code === 'invalid' ? `invalid_${first?.field ?? 'row'}` : first.code;
