// What staff and services send to record a payment or to take one back becomes a NewPayment or a NewReversal, or every
// fault of every field at once. The rules are those of a webhook's body; only the names are the staff API's.

import * as z from 'zod/mini';
import { isNumberSource, type NumberSource } from '../exact-json.ts';
import { currencyExponent, parseAmount } from '../money.ts';
import { ok, type Result, refused } from '../result.ts';
import { maskCardText } from './mask-card-data.ts';
import { type Identity, isNamespace, isReferenceNumber, type NewPayment } from './payment.ts';
import { createPaymentFieldsReader } from './payment-body.ts';
import { amountMessages, type Business, type FieldFault } from './payment-fields.ts';
import type { NewReversal } from './reversal.ts';

/** Who asks, and when. */
interface Asked {
  actor: string;
  at: Date;
}
export type ReadPaymentRequest = (json: unknown, actor: string) => Result<NewPayment, FieldFault[]>;
export type ReadReversalRequest = (
  json: unknown,
  /** The reversal's reference unless the body has one. */
  request: Pick<Identity, 'referenceNumber'> & { idempotencyKey: string | undefined },
  asked: Asked,
) => Result<NewReversal, FieldFault[]>;

/** Payments that name no channel have come by this one. */
const channelName = 'api';

const inWebhooks: Record<string, string> = {
  referenceNumber: 'reference_number',
  loanAccountNumber: 'loan_account_number',
  cif: 'cif',
  amount: 'amount',
  currency: 'currency',
  paymentDate: 'payment_date',
  paymentChannel: 'payment_channel',
  metadata: 'metadata',
};
const inRequests = Object.fromEntries(Object.entries(inWebhooks).map(([here, there]) => [there, here]));

/** The body's fields; none when it is no object. All free text of a request (metadata, reason) passes here. */
const fieldsOf = (json: unknown): Record<string, unknown> =>
  typeof json === 'object' && json !== null && !Array.isArray(json) && !isNumberSource(json)
    ? { ...json }
    : {};

const faultsOf = (issues: ReadonlyArray<{ path: PropertyKey[]; message: string }>): FieldFault[] =>
  issues.map(({ path, message }) => ({ field: path.join('.'), code: 'invalid', message }));

const namespace = (isAllowed: (text: string) => boolean) =>
  z.nullish(z.string('expected a namespace').check(z.refine(isAllowed, 'expected a namespace')));

/** Namespaces of accepted conflicts are ours to fill. */
const paymentRequest = z.object({
  namespace: namespace(isNamespace),
  requiresReceipt: z.nullish(z.boolean('expected true or false')),
});

/** Built once per process. `json` is what parseExactJson made of the body. */
export function createPaymentRequestReader(business: Business): ReadPaymentRequest {
  const readPayment = createPaymentFieldsReader(business);
  return (json, actor) => {
    const fields = fieldsOf(json);
    const own = paymentRequest.safeParse(fields);
    const renamed = Object.fromEntries(
      Object.entries(inWebhooks).map(([here, there]) => [there, fields[here]]),
    );
    const payment = readPayment(renamed, { name: channelName, namespace: own.data?.namespace ?? 'default' });
    const faults = [
      ...(payment.ok || payment.refusal.kind === 'malformed' ? [] : payment.refusal.faults),
      ...(own.success ? [] : faultsOf(own.error.issues)),
    ];
    if (!payment.ok || !own.success) {
      return refused(faults.map((fault) => ({ ...fault, field: inRequests[fault.field] ?? fault.field })));
    }
    const requiresReceipt = own.data.requiresReceipt ?? false;
    return ok({ ...payment.value, requiresReceipt, source: 'api', actor });
  };
}

const text = (limit: number) =>
  z
    .string(`expected a text of 1 to ${limit} characters`)
    .check(
      z.refine(
        (value) => value.trim().length > 0 && value.length <= limit,
        `expected a text of 1 to ${limit} characters`,
      ),
    );

const reversalRequest = z.object({
  amount: z.nullish(
    z.custom<string | NumberSource>(
      (value) => typeof value === 'string' || isNumberSource(value),
      amountMessages.not_a_number,
    ),
  ),
  currency: z.nullish(
    z
      .string('expected an ISO 4217 code')
      .check(z.refine((code) => currencyExponent(code) !== undefined, 'expected an ISO 4217 code')),
  ),
  reason: text(1000),
  reversalReference: z.nullish(
    text(255).check(
      z.refine(isReferenceNumber, 'must not begin or end with white space nor hold control characters'),
    ),
  ),
  // A payment that an accepted conflict became can be taken back like any other.
  namespace: namespace((value) => isNamespace(value.replace(/^conflict:/, ''))),
});

/** As above. Without an amount it is all that is left; an amount without a currency is of the deployment's. */
export function createReversalRequestReader({ currency: defaultCurrency }: Business): ReadReversalRequest {
  return (json, { referenceNumber, idempotencyKey }, { actor, at }) => {
    const fields = fieldsOf(json);
    const parsed = reversalRequest.safeParse(fields);
    const faults = parsed.success ? [] : faultsOf(parsed.error.issues);
    const reversalReference = fields.reversalReference ?? idempotencyKey;
    if (reversalReference === undefined) {
      const message = 'expected, unless the request has an Idempotency-Key';
      faults.push({ field: 'reversalReference', code: 'invalid', message });
    }
    const currency = fields.currency ?? defaultCurrency;
    const written = isNumberSource(fields.amount) ? fields.amount.rawJSON : fields.amount;
    const isKnown = typeof currency === 'string' && currencyExponent(currency) !== undefined;
    const amount = typeof written === 'string' && isKnown ? parseAmount(written, currency) : undefined;
    if (amount && !amount.ok) {
      faults.push({ field: 'amount', code: amount.refusal, message: amountMessages[amount.refusal] });
    }
    if (faults.length > 0 || !parsed.success) return refused(faults);
    return ok({
      namespace: parsed.data.namespace ?? 'default',
      referenceNumber,
      reversalReference: reversalReference as string,
      amount: amount?.ok ? amount.value : null,
      reason: maskCardText(parsed.data.reason),
      occurredAt: at,
      source: 'api',
      actor,
    });
  };
}
