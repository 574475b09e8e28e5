// Acme Pay (docs.acme.example/webhooks): `Acme-Signature`, the hex HMAC-SHA256 of the body. One event a body.
//
//   transfer.settled   payment    the transfer's id
//   transfer.bounced   reversal   of all; the event's id, because Acme gives a bounce no id of its own

import type { Arrival } from '../../shared/payments/arrival.ts';
import { verifyHexOfBody } from '../../shared/payments/channels/hex-of-body.ts';
import {
  payerSettings,
  paymentArrival,
  Reading,
  reversalArrival,
} from '../../shared/payments/channels/reading.ts';
import { hexOf, type SignedRequest } from '../../shared/payments/channels/signature.ts';
import { type BodyRefusal, readJson } from '../../shared/payments/payment-body.ts';
import type { Business } from '../../shared/payments/payment-fields.ts';
import {
  type ChannelWith,
  json,
  type Parsed,
  type Scheme,
  usualBodyLimit,
} from '../../shared/payments/scheme.ts';
import type { Result } from '../../shared/result.ts';

type AcmeChannel = ChannelWith<typeof payerSettings>;

export const acme = {
  settings: payerSettings,
  secret: {
    fault: (secret) => (secret.length < 16 ? 'expected at least 16 characters' : undefined),
    of: hexOf,
  },
  mediaType: json,
  bodyLimit: usualBodyLimit,
  single: false,
  ignoredTypes: ['transfer.created'],
  identifiers: ['id', 'transfer_id'],
  verify: (channel: AcmeChannel, request: SignedRequest) =>
    verifyHexOfBody(channel, request, 'acme-signature'),
  parse,
} satisfies Scheme<AcmeChannel>;

function parse(body: Uint8Array, channel: AcmeChannel, business: Business): Result<Parsed, BodyRefusal> {
  const read = readJson(body);
  if (!read.ok) return read;
  const event = new Reading(read.value);
  const type = event.id('type');
  const arrival = arrivalOf(event, type, { channel, business });
  const isIgnored = !arrival && event.faults.length === 0;
  return event.result({
    arrivals: arrival ? [arrival] : [],
    ignored: isIgnored ? [type] : [],
    rejected: [],
  });
}

function arrivalOf(
  event: Reading,
  type: string,
  origin: { channel: AcmeChannel; business: Business },
): Arrival | undefined {
  switch (type) {
    case 'transfer.settled':
      return paymentArrival(origin, {
        referenceNumber: event.id('transfer_id'),
        ...event.payer(event.object('metadata'), 'metadata', origin.channel),
        amount: event.decimalMoney('amount', 'currency'),
        paymentDate: event.time('settled_at', origin.business.timeZone),
        metadata: event.object('metadata'),
      });
    case 'transfer.bounced':
      return reversalArrival(origin, {
        referenceNumber: event.id('transfer_id'),
        reversalReference: event.id('id'),
        amount: null,
        reason: event.words('reason') ?? 'bounced',
        occurredAt: event.time('bounced_at', origin.business.timeZone),
      });
    default:
      return undefined;
  }
}
