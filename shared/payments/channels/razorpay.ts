// Razorpay (razorpay.com/docs/webhooks): `X-Razorpay-Signature`, the hex HMAC-SHA256 of the body under the webhook's
// secret; there is no timestamp in it, a repeated body is a duplicate. One event a body, amounts in the smallest unit
// of ISO 4217's decimals.
//
//   payment.captured       payment    the payment's id; the event's time. payment.authorized is no money yet
//   payment.failed         failure    every attempt is a payment of its own at Razorpay, so its id names both
//   refund.processed       reversal   the refund's id; refund.created is not yet paid out
//   payment.dispute.lost   reversal   the dispute's id; this is when Razorpay takes the money

import type { Result } from '../../result.ts';
import type { Arrival } from '../arrival.ts';
import { type BodyRefusal, readJson } from '../payment-body.ts';
import type { Business } from '../payment-fields.ts';
import { type ChannelWith, json, type Parsed, type Scheme, usualBodyLimit } from '../scheme.ts';
import { verifyHexOfBody } from './hex-of-body.ts';
import { failureArrival, payerSettings, paymentArrival, Reading, reversalArrival } from './reading.ts';
import { hexOf, type SignedRequest, type Verified } from './signature.ts';

type RazorpayChannel = ChannelWith<typeof payerSettings>;

export const razorpay = {
  settings: payerSettings,
  secret: {
    // Chosen by the merchant, so there is no form of its own.
    fault: (secret) => (secret.length < 12 ? 'expected at least 12 characters' : undefined),
    of: hexOf,
  },
  mediaType: json,
  bodyLimit: usualBodyLimit,
  single: false,
  ignoredTypes: [
    ...['payment.authorized', 'order.paid', 'refund.created', 'refund.failed', 'refund.speed_changed'],
    ...[
      'payment.dispute.created',
      'payment.dispute.won',
      'payment.dispute.closed',
      'payment.dispute.under_review',
    ],
    ...['payment.dispute.action_required', 'settlement.processed', 'payment_link.paid', 'invoice.paid'],
  ],
  identifiers: [
    'id',
    'account_id',
    'order_id',
    'invoice_id',
    'payment_id',
    'customer_id',
    'token_id',
    'receipt',
  ],
  verify: (channel: RazorpayChannel, request: SignedRequest): Promise<Verified> =>
    verifyHexOfBody(channel, request, 'x-razorpay-signature'),
  parse,
} satisfies Scheme<RazorpayChannel>;

function parse(body: Uint8Array, channel: RazorpayChannel, business: Business): Result<Parsed, BodyRefusal> {
  const read = readJson(body);
  if (!read.ok) return read;
  const event = new Reading(read.value);
  const type = event.id('event');
  const arrival = arrivalOf(event, type, channel, business);
  const isIgnored = !arrival && event.faults.length === 0;
  return event.result({ arrivals: arrival ? [arrival] : [], ignored: isIgnored ? [type] : [], rejected: [] });
}

function arrivalOf(
  event: Reading,
  type: string,
  channel: RazorpayChannel,
  business: Business,
): Arrival | undefined {
  const origin = { channel, business };
  const payment = 'payload.payment.entity';
  // Without any notes Razorpay writes an empty list.
  const notes = event.object(`${payment}.notes`);
  const fields = { description: event.value(`${payment}.description`), ...notes };
  const occurredAt = event.value('created_at') === undefined ? `${payment}.created_at` : 'created_at';
  const reversed = (entity: string, reason: string) =>
    reversalArrival(origin, {
      referenceNumber: event.id(`${entity}.payment_id`),
      reversalReference: event.id(`${entity}.id`),
      amount: event.minorMoney(`${entity}.amount`, `${entity}.currency`),
      reason,
      occurredAt: event.unixTime(occurredAt),
    });

  switch (type) {
    case 'payment.captured':
      return paymentArrival(origin, {
        referenceNumber: event.id(`${payment}.id`),
        ...event.payer(fields, `${payment}.notes`, channel),
        amount: event.minorMoney(`${payment}.amount`, `${payment}.currency`),
        paymentDate: event.unixTime(occurredAt),
        metadata: notes,
      });
    case 'payment.failed':
      return failureArrival(origin, {
        referenceNumber: event.id(`${payment}.id`),
        failureReference: event.id(`${payment}.id`),
        amount: event.minorMoney(`${payment}.amount`, `${payment}.currency`),
        reason: event.words(`${payment}.error_reason`) ?? event.words(`${payment}.error_code`) ?? 'failed',
        occurredAt: event.unixTime(occurredAt),
        fields,
      });
    case 'refund.processed':
      return reversed('payload.refund.entity', 'refund');
    case 'payment.dispute.lost': {
      const code = event.words('payload.dispute.entity.reason_code');
      return reversed('payload.dispute.entity', code ? `chargeback: ${code}` : 'chargeback');
    }
    default:
      return undefined;
  }
}
