// Stripe (docs.stripe.com/webhooks/signature): `Stripe-Signature: t=<unix>,v1=<hex>,...`, HMAC-SHA256 of
// `{t}.{body}` under the endpoint's whole secret, `whsec_` included. One event a body.
//
//   payment_intent.succeeded                      payment    the intent's id; the event's time, not the intent's
//   payment_intent.payment_failed                 failure    the event's id
//   refund.created, refund.updated,
//   charge.refund.updated: status succeeded       reversal   the refund's id; a refund that is pending is ignored
//   refund.updated: succeeded before, failed now  payment    the money came back: a payment named by the refund
//   charge.refunded, with its list of refunds     reversals  API versions before 2022-11-15; later ones have no list
//   charge.dispute.funds_withdrawn                reversal   the dispute's id; this is when Stripe takes the money, not
//                                                            charge.dispute.closed, which only says who won
//   charge.dispute.funds_reinstated               payment    the money came back: a payment named by the dispute
//
// What came back states no loan: unless the dispute's or refund's own metadata names it, the body is kept for staff.

import { isNumberSource } from '../../exact-json.ts';
import { ok, type Result, refused } from '../../result.ts';
import type { Arrival } from '../arrival.ts';
import { type BodyRefusal, readJson } from '../payment-body.ts';
import type { Business } from '../payment-fields.ts';
import { type ChannelWith, json, type Parsed, type Scheme, usualBodyLimit } from '../scheme.ts';
import { failureArrival, payerSettings, paymentArrival, Reading, reversalArrival } from './reading.ts';
import {
  fromHex,
  hexOf,
  hmacMatches,
  type SignedRequest,
  secretBytes,
  signedContent,
  timestampFault,
  type Verified,
} from './signature.ts';

type StripeChannel = ChannelWith<typeof payerSettings>;

/**
 * docs.stripe.com/currencies: MGA is written without decimals, and ISK and UGX with two that are always 00. All else is
 * as in ISO 4217; of three decimals the last is always 0, which is for those who charge to mind.
 */
const exponents = { MGA: 0, ISK: 2, UGX: 2 };
const signaturesLimit = 8;

export const stripe = {
  settings: payerSettings,
  secret: {
    fault: (secret) =>
      /^whsec_[\x21-\x7e]{16,}$/.test(secret) ? undefined : 'expected whsec_ and at least 16 characters',
    of: (random) => `whsec_${hexOf(random)}`,
  },
  mediaType: json,
  bodyLimit: usualBodyLimit,
  single: false,
  ignoredTypes: [
    ...['payment_intent.created', 'payment_intent.processing', 'payment_intent.canceled'],
    ...['payment_intent.requires_action', 'payment_intent.amount_capturable_updated'],
    ...['charge.succeeded', 'charge.captured', 'charge.updated', 'charge.failed', 'charge.pending'],
    ...['charge.refunded', 'charge.refund.updated', 'refund.created', 'refund.updated', 'refund.failed'],
    ...['charge.dispute.created', 'charge.dispute.updated', 'charge.dispute.closed'],
  ],
  identifiers: ['id', 'payment_intent', 'charge', 'latest_charge', 'customer', 'balance_transaction'],
  verify,
  parse,
} satisfies Scheme<StripeChannel>;

async function verify(channel: StripeChannel, request: SignedRequest, now: Date): Promise<Verified> {
  const header = request.header('stripe-signature');
  if (!header) return refused('missing_header');
  const pairs = header.split(',').map((pair) => pair.split('=', 2));
  const timestamp = pairs.find(([key]) => key?.trim() === 't')?.[1];
  const signatures = pairs
    .filter(([key]) => key?.trim() === 'v1')
    .slice(0, signaturesLimit)
    .flatMap(([, value = '']) => fromHex(value) ?? []);
  if (timestamp === undefined || signatures.length === 0) return refused('malformed_header');
  const fault = timestampFault(timestamp, now);
  if (fault) return refused(fault);
  const content = signedContent(`${timestamp}.`, request.body);
  const isSigned = await hmacMatches('SHA-256', channel.secrets.map(secretBytes), signatures, content);
  return isSigned ? ok(undefined) : refused('mismatch');
}

function parse(body: Uint8Array, channel: StripeChannel, business: Business): Result<Parsed, BodyRefusal> {
  const read = readJson(body);
  if (!read.ok) return read;
  const event = new Reading(read.value);
  const type = event.id('type');
  const arrivals = arrivalsOf(event, type, channel, business);
  const isIgnored = arrivals.length === 0 && event.faults.length === 0;
  return event.result({ arrivals, ignored: isIgnored ? [type] : [], rejected: [] });
}

function arrivalsOf(event: Reading, type: string, channel: StripeChannel, business: Business): Arrival[] {
  const origin = { channel, business };
  const occurredAt = () => event.unixTime('created');
  const metadata = () => event.object('data.object.metadata');
  const fields = () => ({ description: event.value('data.object.description'), ...metadata() });
  const money = (field: string) =>
    event.minorMoney(`data.object.${field}`, 'data.object.currency', exponents);
  /** Of a refund or a dispute: the payment's id, or for charges without an intent the charge's. */
  const paymentId = () =>
    event.id(
      event.value('data.object.payment_intent') === undefined
        ? 'data.object.charge'
        : 'data.object.payment_intent',
    );
  const paid = (amountField: string): Arrival[] => [
    paymentArrival(origin, {
      referenceNumber: event.id('data.object.id'),
      ...event.payer(fields(), 'data.object.metadata', channel),
      amount: money(amountField),
      paymentDate: occurredAt(),
      metadata: metadata(),
    }),
  ];
  const reversed = (reason: string): Arrival[] => [
    reversalArrival(origin, {
      referenceNumber: paymentId(),
      reversalReference: event.id('data.object.id'),
      amount: money('amount'),
      reason: [reason, event.words('data.object.reason')].filter(Boolean).join(': '),
      occurredAt: occurredAt(),
    }),
  ];

  switch (type) {
    case 'payment_intent.succeeded':
      return paid('amount_received');
    case 'payment_intent.payment_failed': {
      const error = 'data.object.last_payment_error';
      return [
        failureArrival(origin, {
          referenceNumber: event.id('data.object.id'),
          failureReference: event.id('id'),
          amount: money('amount'),
          reason:
            event.words(`${error}.decline_code`) ??
            event.words(`${error}.code`) ??
            event.words(`${error}.message`) ??
            'failed',
          occurredAt: occurredAt(),
          fields: fields(),
        }),
      ];
    }
    case 'refund.created':
    case 'refund.updated':
    case 'charge.refund.updated': {
      const status = event.words('data.object.status');
      if (status === 'succeeded') return reversed('refund');
      const before = event.words('data.previous_attributes.status');
      return status === 'failed' && before === 'succeeded' ? paid('amount') : [];
    }
    case 'charge.refunded': {
      const refunds = event.value('data.object.refunds.data');
      if (!Array.isArray(refunds)) return [];
      return refunds.flatMap((refund, i) =>
        refundInCharge(event, refund, i, origin, paymentIdOfCharge(event)),
      );
    }
    case 'charge.dispute.funds_withdrawn':
      return reversed('chargeback');
    case 'charge.dispute.funds_reinstated':
      return paid('amount');
    default:
      return [];
  }
}

const paymentIdOfCharge = (event: Reading) =>
  event.id(
    event.value('data.object.payment_intent') === undefined ? 'data.object.id' : 'data.object.payment_intent',
  );

function refundInCharge(
  event: Reading,
  refund: unknown,
  index: number,
  origin: { channel: StripeChannel; business: Business },
  referenceNumber: string,
): Arrival[] {
  const one = new Reading(refund);
  if (one.words('status') !== 'succeeded') return [];
  const created = one.value('created');
  const arrival = reversalArrival(origin, {
    referenceNumber,
    reversalReference: one.id('id'),
    amount: one.minorMoney('amount', 'currency', exponents),
    reason: ['refund', one.words('reason')].filter(Boolean).join(': '),
    occurredAt: isNumberSource(created) ? one.unixTime('created') : event.unixTime('created'),
  });
  for (const { field, message, code } of one.faults)
    event.fault(`data.object.refunds.data.${index}.${field}`, message, code);
  return [arrival];
}
