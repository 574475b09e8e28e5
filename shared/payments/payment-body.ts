// The documented payment body becomes a NewPayment, or every fault of every field at once. Amounts and metadata are
// read from the source text, unknown fields are ignored, card data in metadata is masked.

import * as z from 'zod/mini';
import { calendarDate, parseInstant } from '../calendar-date.ts';
import { isNumberSource, type NumberSource, parseExactJson } from '../exact-json.ts';
import { currencyExponent, parseAmount } from '../money.ts';
import { ok, type Result, refused } from '../result.ts';
import { maskCardData, maskCardText } from './mask-card-data.ts';
import type { NewPayment } from './payment.ts';
import {
  amountMessages,
  type Business,
  currencyMessage,
  type FieldFault,
  identifierFault,
  identifierLimits,
  identifierMessage,
  isCurrency,
} from './payment-fields.ts';

/** Why a body is no payment: not JSON that can be kept, or faults of its fields. */
export type BodyRefusal = { kind: 'malformed'; reason: string } | { kind: 'invalid'; faults: FieldFault[] };

export const identifier = (field: keyof typeof identifierLimits) => {
  const limit = identifierLimits[field];
  return z.string(identifierMessage(limit)).check(
    z.refine((text) => identifierFault(text, limit) === undefined, {
      error: (issue) => identifierFault(issue.input as string, limit) ?? '',
    }),
  );
};

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !isNumberSource(value);

const bodySchema = (timeZone: string) =>
  z.object(
    {
      reference_number: identifier('reference_number'),
      loan_account_number: identifier('loan_account_number'),
      cif: identifier('cif'),
      amount: z.custom<string | NumberSource>(
        (value) => typeof value === 'string' || isNumberSource(value),
        'expected a number or a decimal text',
      ),
      currency: z.nullish(z.string(currencyMessage).check(z.refine(isCurrency, currencyMessage))),
      payment_date: z
        .string('expected an ISO 8601 date and time')
        .check(
          z.refine(
            (text) => parseInstant(text, timeZone) !== undefined,
            'expected an ISO 8601 date and time',
          ),
        ),
      payment_channel: z.nullish(identifier('payment_channel')),
      metadata: z.nullish(z.custom<object>(isObject, 'expected an object')),
    },
    'expected an object',
  );

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });

/** A body's JSON with every number as it was written. */
export function readJson(body: Uint8Array): Result<unknown, BodyRefusal> {
  try {
    return ok(parseExactJson(decoder.decode(body)));
  } catch (error) {
    const reason = error instanceof SyntaxError ? error.message : 'not UTF-8';
    return refused({ kind: 'malformed', reason });
  }
}

type Sender = { name: string; namespace: string };
export type ReadPaymentBody = (body: Uint8Array, channel: Sender) => Result<NewPayment, BodyRefusal>;

/** Builds the reader once per process; building the schema costs more than using it. */
export function createPaymentBodyReader(business: Business): ReadPaymentBody {
  const readFields = createPaymentFieldsReader(business);

  return (body, channel) => {
    const json = readJson(body);
    return json.ok ? readFields(json.value, channel) : json;
  };
}

/** The same of a body that parseExactJson has parsed; `name` is the payment's channel unless it tells one. */
export function createPaymentFieldsReader({ timeZone, currency: defaultCurrency }: Business) {
  const schema = bodySchema(timeZone);

  return (json: unknown, channel: Sender): Result<NewPayment, BodyRefusal> => {
    const parsed = schema.safeParse(isObject(json) ? json : undefined);
    const faults: FieldFault[] = parsed.success
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
          paymentChannel: maskCardText(data.payment_channel ?? channel.name),
          metadata: JSON.stringify(maskCardData(data.metadata ?? {})),
          requiresReceipt: false,
          source: 'webhook',
          actor: `channel:${channel.name}`,
        });
      }
    }
    return refused({ kind: 'invalid', faults });
  };
}

const readers = new WeakMap<Business, ReadPaymentBody>();

/** As above, with the reader of these settings kept. */
export function readPaymentBody(
  body: Uint8Array,
  channel: Sender,
  business: Business,
): Result<NewPayment, BodyRefusal> {
  const reader = readers.get(business) ?? createPaymentBodyReader(business);
  readers.set(business, reader);
  return reader(body, channel);
}
