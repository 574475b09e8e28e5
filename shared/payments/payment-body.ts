// The documented payment body becomes a NewPayment, or every fault of every field at once. Amounts and metadata are
// read from the source text, unknown fields are ignored.

import * as z from 'zod/mini';
import { calendarDate, parseInstant } from '../calendar-date.ts';
import { isNumberSource, type NumberSource, parseExactJson } from '../exact-json.ts';
import { type AmountFault, currencyExponent, parseAmount } from '../money.ts';
import { ok, type Result, refused } from '../result.ts';
import type { Channel } from './channel.ts';
import type { NewPayment } from './payment.ts';

export interface Fault {
  field: string;
  code: string;
  message: string;
}
type BodyRefusal = { kind: 'malformed'; reason: string } | { kind: 'invalid'; faults: Fault[] };

/** Settings of the deployment that complete what a body leaves open. */
export interface Business {
  /** IANA zone of times without offset and of calendar dates. */
  timeZone: string;
  /** Of amounts without one. */
  currency: string;
}

const identifier = (limit: number) =>
  z.string(`expected a text of 1 to ${limit} characters`).check(
    z.refine(
      (text) => text.length >= 1 && text.length <= limit,
      `expected a text of 1 to ${limit} characters`,
    ),
    z.refine((text) => text === text.trim(), 'must not begin or end with white space'),
    z.refine((text) => !/\p{Cc}/u.test(text), 'must not hold control characters'),
  );

const isObject = (value: unknown) =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !isNumberSource(value);

const bodySchema = (timeZone: string) =>
  z.object(
    {
      reference_number: identifier(255),
      loan_account_number: identifier(20),
      cif: identifier(20),
      amount: z.custom<string | NumberSource>(
        (value) => typeof value === 'string' || isNumberSource(value),
        'expected a number or a decimal text',
      ),
      currency: z.nullish(
        z
          .string('expected an ISO 4217 code')
          .check(z.refine((code) => currencyExponent(code) !== undefined, 'expected an ISO 4217 code')),
      ),
      payment_date: z
        .string('expected an ISO 8601 date and time')
        .check(
          z.refine(
            (text) => parseInstant(text, timeZone) !== undefined,
            'expected an ISO 8601 date and time',
          ),
        ),
      payment_channel: z.nullish(identifier(100)),
      metadata: z.nullish(z.custom<object>(isObject, 'expected an object')),
    },
    'expected an object',
  );

export const amountMessages: Record<AmountFault, string> = {
  not_a_number: 'expected a number or a decimal text',
  not_positive: 'must be more than zero',
  too_large: 'must be below 10000000000000',
  too_many_decimals: 'has more decimals than its currency',
};

export type ReadPaymentBody = (body: Uint8Array, channel: Channel) => Result<NewPayment, BodyRefusal>;

/** Builds the reader once per process; building the schema costs more than using it. */
export function createPaymentBodyReader(business: Business): ReadPaymentBody {
  const readFields = createPaymentFieldsReader(business);
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });

  return (body, channel) => {
    let json: unknown;
    try {
      json = parseExactJson(decoder.decode(body));
    } catch (error) {
      return refused({
        kind: 'malformed',
        reason: error instanceof SyntaxError ? error.message : 'not UTF-8',
      });
    }
    return readFields(json, channel);
  };
}

/** The same of a body that parseExactJson has parsed; `name` is the payment's channel unless it tells one. */
export function createPaymentFieldsReader({ timeZone, currency: defaultCurrency }: Business) {
  const schema = bodySchema(timeZone);

  return (json: unknown, channel: Pick<Channel, 'name' | 'namespace'>): Result<NewPayment, BodyRefusal> => {
    const parsed = schema.safeParse(isObject(json) ? json : undefined);
    const faults: Fault[] = parsed.success
      ? []
      : parsed.error.issues.map((i) => ({
          field: i.path.join('.') || 'body',
          code: 'invalid',
          message: i.message,
        }));

    // The amount is judged even where other fields are wrong, as long as its currency is known.
    const fields = (isObject(json) ? json : {}) as Record<string, unknown>;
    const currency = fields.currency ?? defaultCurrency;
    const amountText = isNumberSource(fields.amount) ? fields.amount.rawJSON : fields.amount;
    if (
      typeof amountText === 'string' &&
      typeof currency === 'string' &&
      currencyExponent(currency) !== undefined
    ) {
      const amount = parseAmount(amountText, currency);
      if (!amount.ok) {
        faults.push({ field: 'amount', code: amount.refusal, message: amountMessages[amount.refusal] });
      } else if (parsed.success && faults.length === 0) {
        const { data } = parsed;
        const paymentDate = parseInstant(data.payment_date, timeZone) as Date;
        return ok({
          namespace: channel.namespace,
          referenceNumber: data.reference_number,
          loanAccountNumber: data.loan_account_number,
          cif: data.cif,
          amount: amount.value,
          paymentDate,
          paidOn: calendarDate(paymentDate, timeZone),
          paymentChannel: data.payment_channel ?? channel.name,
          metadata: JSON.stringify(data.metadata ?? {}),
          requiresReceipt: false,
          source: 'webhook',
          actor: `channel:${channel.name}`,
        });
      }
    }
    return refused({ kind: 'invalid', faults });
  };
}
