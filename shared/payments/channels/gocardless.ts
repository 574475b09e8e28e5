// GoCardless (developer.gocardless.com): `Webhook-Signature`, the hex HMAC-SHA256 of the body under the endpoint's secret;
// no timestamp, a repeated event is a duplicate. Many events a body, and no amounts: each that concerns money is a
// notice, and the API is asked for its payment or refund. An event that cannot be read holds back no other.
//
//   payments.confirmed, payments.paid_out   payment    the payment's id, dated by its charge date: the second is a
//                                                      duplicate
//   payments.failed, payments.cancelled     failure    the event's id
//   payments.failed after it was confirmed  reversal   of all, beside the failure; as is
//   payments.late_failure_settled           reversal   of all: the same one, whichever comes first
//   payments.charged_back                   reversal   of all
//   payments.chargeback_cancelled           payment    the money came back: a payment named by the chargeback
//   refunds.paid                            reversal   the refund's id
//   refunds.funds_returned                  payment    the money came back: a payment named by the refund

import { ok, type Result } from '../../result.ts';
import type { Arrival } from '../arrival.ts';
import { identifiers, maskCardData } from '../mask-card-data.ts';
import type { NewNotice } from '../notice.ts';
import { type BodyRefusal, readJson } from '../payment-body.ts';
import type { Business } from '../payment-fields.ts';
import { type Asked, type ChannelWith, type Fetch, json, type Parsed, type Scheme } from '../scheme.ts';
import { verifyHexOfBody } from './hex-of-body.ts';
import { factsOf, tokenOf } from './provider-api.ts';
import { failureArrival, payerSettings, paymentArrival, Reading, reversalArrival } from './reading.ts';
import { hexOf, type SignedRequest, secretBytes, type Verified } from './signature.ts';

type GoCardlessChannel = ChannelWith<typeof payerSettings>;

/** Events about which the API is asked, and what it is asked for. */
const asked: Record<string, 'payment' | 'refund'> = {
  'payments.confirmed': 'payment',
  'payments.paid_out': 'payment',
  'payments.failed': 'payment',
  'payments.cancelled': 'payment',
  'payments.late_failure_settled': 'payment',
  'payments.charged_back': 'payment',
  'payments.chargeback_cancelled': 'payment',
  'refunds.paid': 'refund',
  'refunds.funds_returned': 'refund',
};
const ids = [
  'id',
  'payment',
  'refund',
  'mandate',
  'subscription',
  'payout',
  'parent_event',
  'organisation',
  'webhook_id',
];
const keptIds = new Set([...identifiers, ...ids]);

export const gocardless = {
  settings: payerSettings,
  secret: {
    fault: (secret) => (secret.length < 16 ? 'expected at least 16 characters' : undefined),
    of: hexOf,
  },
  mediaType: json,
  // Up to 250 events in one.
  bodyLimit: 1024 * 1024,
  single: false,
  ignoredTypes: [
    ...['payments.created', 'payments.submitted', 'payments.customer_approval_granted'],
    ...[
      'payments.customer_approval_denied',
      'payments.resubmission_requested',
      'payments.chargeback_settled',
    ],
    ...['refunds.created', 'refunds.failed', 'refunds.refund_settled', 'payouts.paid'],
    ...[
      'mandates.created',
      'mandates.submitted',
      'mandates.active',
      'mandates.failed',
      'mandates.cancelled',
      'mandates.expired',
    ],
  ],
  identifiers: ids,
  verify: (channel: GoCardlessChannel, request: SignedRequest): Promise<Verified> =>
    verifyHexOfBody(channel, request, 'webhook-signature'),
  parse,
  api: { defaultUrl: 'https://api.gocardless.com', ask },
} satisfies Scheme<GoCardlessChannel>;

function parse(body: Uint8Array, channel: GoCardlessChannel): Result<Parsed, BodyRefusal> {
  const read = readJson(body);
  if (!read.ok) return read;
  const message = new Reading(read.value);
  const events = message.value('events');
  if (!Array.isArray(events)) message.fault('events', 'expected a list of events');
  const parsed: Parsed = { arrivals: [], ignored: [], rejected: [] };
  for (const event of Array.isArray(events) ? events : []) {
    const reading = new Reading(event);
    const type = typeOf(reading);
    const notice = noticeOf(reading, event, type, channel);
    const result = reading.result(notice);
    if (!result.ok)
      parsed.rejected.push({ body: JSON.stringify({ events: [event] }), refusal: result.refusal });
    else if (notice) parsed.arrivals.push({ kind: 'notice', notice });
    else parsed.ignored.push(type);
  }
  return message.result(parsed);
}

const typeOf = (event: Reading) => `${event.id('resource_type')}.${event.id('action')}`;

function noticeOf(
  event: Reading,
  source: unknown,
  type: string,
  channel: GoCardlessChannel,
): NewNotice | undefined {
  if (!Object.hasOwn(asked, type)) return undefined;
  return {
    channel: channel.name,
    noticeReference: event.id('id'),
    subject: event.id(`links.${asked[type]}`),
    payload: JSON.stringify(maskCardData(source, keptIds)),
    standing: false,
    actor: `channel:${channel.name}`,
  };
}

async function ask(
  notice: NewNotice,
  channel: GoCardlessChannel,
  business: Business,
  fetch: Fetch,
): Promise<Result<Asked, BodyRefusal>> {
  const get = async (path: string) => {
    const headers = { authorization: `Bearer ${tokenOf(channel)}`, 'gocardless-version': '2015-07-06' };
    return new Reading(await factsOf(channel, path, { headers }, fetch));
  };
  const read = readJson(secretBytes(notice.payload));
  if (!read.ok) return read;
  const event = new Reading(read.value);
  const type = typeOf(event);
  const origin = { channel, business };
  const occurredAt = event.time('created_at', business.timeZone);
  if (event.faults.length > 0) return event.result({ arrivals: [] });

  const refund =
    asked[type] === 'refund' ? await get(`/refunds/${encodeURIComponent(notice.subject)}`) : undefined;
  const paymentId = refund ? refund.id('refunds.links.payment') : notice.subject;
  if (refund && refund.faults.length > 0) return refund.result({ arrivals: [] });
  const payment = await get(`/payments/${encodeURIComponent(paymentId)}`);

  const metadata = payment.object('payments.metadata');
  const fields = {
    description: payment.value('payments.description'),
    reference: payment.value('payments.reference'),
    ...metadata,
  };
  const referenceNumber = payment.id('payments.id');
  const money = (of: Reading, name: string) => of.minorMoney(`${name}.amount`, `${name}.currency`);
  const paid = (named: string, amount = money(payment, 'payments'), paymentDate = occurredAt): Arrival =>
    paymentArrival(origin, {
      referenceNumber: named,
      ...payment.payer(fields, 'payments.metadata', channel),
      amount,
      paymentDate,
      metadata,
    });
  const reversed = (
    reversalReference: string,
    reason: string,
    amount: ReturnType<typeof money> | null = null,
  ): Arrival => reversalArrival(origin, { referenceNumber, reversalReference, amount, reason, occurredAt });
  const failed = (): Arrival =>
    failureArrival(origin, {
      referenceNumber,
      failureReference: notice.noticeReference,
      amount: money(payment, 'payments'),
      reason: event.words('details.cause') ?? event.words('action') ?? 'failed',
      occurredAt,
      fields,
    });
  const lateFailure = () => reversed(`${referenceNumber}:late_failure`, 'late failure');

  const arrivals = async (): Promise<Arrival[]> => {
    switch (type) {
      case 'payments.confirmed':
      case 'payments.paid_out':
        return [paid(referenceNumber, undefined, payment.time('payments.charge_date', business.timeZone))];
      case 'payments.failed': {
        const query = new URLSearchParams({
          resource_type: 'payments',
          action: 'confirmed',
          payment: notice.subject,
        });
        const list = (await get(`/events?${query}`)).value('events');
        const wasConfirmed = (Array.isArray(list) ? list : []).some((one) => {
          const confirmation = new Reading(one);
          const at = confirmation.time('created_at', business.timeZone);
          return confirmation.faults.length === 0 && at <= occurredAt;
        });
        return wasConfirmed ? [failed(), lateFailure()] : [failed()];
      }
      case 'payments.cancelled':
        return [failed()];
      case 'payments.late_failure_settled':
        return [lateFailure()];
      case 'payments.charged_back':
        return [reversed(`${referenceNumber}:chargeback`, 'chargeback')];
      case 'payments.chargeback_cancelled':
        return [paid(`${referenceNumber}:chargeback_cancelled`)];
      case 'refunds.paid':
        return refund ? [reversed(refund.id('refunds.id'), 'refund', money(refund, 'refunds'))] : [];
      case 'refunds.funds_returned':
        return refund ? [paid(`${refund.id('refunds.id')}:funds_returned`, money(refund, 'refunds'))] : [];
      default:
        return [];
    }
  };
  const found = await arrivals();
  if (refund && refund.faults.length > 0) return refund.result({ arrivals: [] });
  return payment.faults.length > 0 ? payment.result({ arrivals: [] }) : ok({ arrivals: found });
}
