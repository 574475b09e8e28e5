// Adyen's standard webhooks (docs.adyen.com/development-resources/webhooks): items that are signed one by one,
// base64 HMAC-SHA256 under a key in hex, in `additionalData.hmacSignature`; there is no timestamp in it, a repeated item
// is a duplicate. Adyen wants to read `[accepted]`, and holds back all else until it does: an item that is signed and
// cannot be read is kept for staff and accepted, one that is not signed is not accepted and does not hinder the others.
//
//   event           success  automatic capture   manual capture
//   AUTHORISATION   true     payment             ignored
//                   false    failure             failure
//   CAPTURE         true     ignored             payment
//                   false    ignored             failure
//   CAPTURE_FAILED  true     reversal of all     reversal of all
//   CANCELLATION, TECHNICAL_CANCEL
//                   true     reversal of all     ignored: nothing was captured
//   CANCEL_OR_REFUND, REFUND, CHARGEBACK, SECOND_CHARGEBACK, PREARBITRATION_LOST
//                   true     reversal            reversal
//   REFUND_FAILED, REFUNDED_REVERSED, CHARGEBACK_REVERSED: money that came back
//                   true     payment             payment
//
// A payment is named by the authorisation's pspReference, which the events after it have as originalReference. All
// events of one dispute share a pspReference, so those after the first are named with their event code beside it.

import * as z from 'zod/mini';
import { isNumberSource } from '../../exact-json.ts';
import { ok, type Result, refused } from '../../result.ts';
import type { Arrival } from '../arrival.ts';
import { type BodyRefusal, readJson } from '../payment-body.ts';
import type { Business } from '../payment-fields.ts';
import { type ChannelWith, json, type Parsed, type Scheme } from '../scheme.ts';
import { failureArrival, payerSettings, paymentArrival, Reading, reversalArrival } from './reading.ts';
import {
  fromBase64,
  fromHex,
  hexOf,
  hmacMatches,
  type SignedRequest,
  secretBytes,
  type Verified,
} from './signature.ts';

const settings = {
  ...payerSettings,
  /** Whether Adyen captures what it has authorised, or is told to. */
  capture: z._default(z.enum(['automatic', 'manual'], 'expected automatic or manual'), 'automatic'),
};
type AdyenChannel = ChannelWith<typeof settings>;

/** docs.adyen.com/development-resources/currency-codes: where Adyen's decimals are not ISO 4217's. */
const exponents = { CLP: 2, CVE: 0, IDR: 0, ISK: 2 };

export const adyen = {
  settings,
  secret: {
    fault: (secret) =>
      /^(?:[0-9a-fA-F]{2}){16,64}$/.test(secret) ? undefined : 'expected the HMAC key: 32 to 128 hex digits',
    of: (random) => hexOf(random).toUpperCase(),
  },
  mediaType: json,
  bodyLimit: 256 * 1024,
  single: false,
  acknowledgement: '[accepted]',
  ignoredTypes: [
    ...['AUTHORISATION', 'CAPTURE', 'CANCELLATION', 'TECHNICAL_CANCEL', 'CANCEL_OR_REFUND', 'REFUND'],
    ...['AUTHORISATION_ADJUSTMENT', 'EXPIRE', 'OFFER_CLOSED', 'REPORT_AVAILABLE', 'RECURRING_CONTRACT'],
    ...[
      'NOTIFICATION_OF_CHARGEBACK',
      'NOTIFICATION_OF_FRAUD',
      'REQUEST_FOR_INFORMATION',
      'INFORMATION_SUPPLIED',
    ],
    ...[
      'PREARBITRATION_WON',
      'DISPUTE_DEFENSE_PERIOD_ENDED',
      'ISSUER_COMMENTS',
      'ISSUER_RESPONSE_TIMEFRAME_EXPIRED',
    ],
  ],
  identifiers: ['pspReference', 'originalReference', 'merchantReference', 'merchantAccountCode'],
  verify,
  parse,
} satisfies Scheme<AdyenChannel>;

/** The signed text of an item, its fields joined by colons, absent ones empty. */
function signedText(item: Reading): string {
  const value = item.value('amount.value');
  return [
    ...['pspReference', 'originalReference', 'merchantAccountCode', 'merchantReference'].map((name) =>
      item.words(name),
    ),
    isNumberSource(value) ? value.rawJSON : undefined,
    ...['amount.currency', 'eventCode', 'success'].map((name) => textOf(item, name)),
  ]
    .map((part) => part ?? '')
    .join(':');
}

/** `success` is a text in the documentation; a boolean is read like one. */
function textOf(item: Reading, path: string): string | undefined {
  const value = item.value(path);
  return typeof value === 'boolean' ? String(value) : item.words(path);
}

function itemsOf(json: unknown): Array<{ wrapped: unknown; item: Reading }> {
  const list = new Reading(json).value('notificationItems');
  return (Array.isArray(list) ? list : []).map((wrapped) => ({
    wrapped,
    item: new Reading(new Reading(wrapped).value('NotificationRequestItem')),
  }));
}

const bodyOf = (items: readonly unknown[]) => secretBytes(JSON.stringify({ notificationItems: items }));

async function verify(channel: AdyenChannel, request: SignedRequest): Promise<Verified> {
  const read = readJson(request.body);
  const items = itemsOf(read.ok ? read.value : undefined);
  const secrets = channel.secrets.flatMap((secret) => fromHex(secret) ?? []);
  const signed: unknown[] = [];
  let hasSignature = false;
  for (const { wrapped, item } of items) {
    const signature = fromBase64(item.words('additionalData.hmacSignature') ?? '');
    if (!signature?.length) continue;
    hasSignature = true;
    if (await hmacMatches('SHA-256', secrets, [signature], secretBytes(signedText(item))))
      signed.push(wrapped);
  }
  if (signed.length === 0) return refused(hasSignature ? 'mismatch' : 'missing_header');
  return ok({ body: bodyOf(signed), unsigned: items.length - signed.length });
}

function parse(body: Uint8Array, channel: AdyenChannel, business: Business): Result<Parsed, BodyRefusal> {
  const read = readJson(body);
  if (!read.ok) return read;
  const parsed: Parsed = { arrivals: [], ignored: [], rejected: [] };
  const items = itemsOf(read.value);
  if (items.length === 0) {
    const message = 'expected a list of items';
    return refused({ kind: 'invalid', faults: [{ field: 'notificationItems', code: 'invalid', message }] });
  }
  for (const { wrapped, item } of items) {
    const eventCode = item.id('eventCode', 50);
    const arrival = arrivalOf(item, eventCode, channel, business);
    const result = item.result(arrival);
    if (!result.ok)
      parsed.rejected.push({
        body: JSON.stringify({ notificationItems: [wrapped] }),
        refusal: result.refusal,
      });
    else if (arrival) parsed.arrivals.push(arrival);
    else parsed.ignored.push(eventCode);
  }
  return ok(parsed);
}

function arrivalOf(
  item: Reading,
  eventCode: string,
  channel: AdyenChannel,
  business: Business,
): Arrival | undefined {
  const origin = { channel, business };
  const succeeded = textOf(item, 'success') === 'true';
  const isManual = channel.capture === 'manual';
  const occurredAt = () => item.time('eventDate', business.timeZone);
  const money = () => item.minorMoney('amount.value', 'amount.currency', exponents);
  // Metadata of the payment comes flattened, as additionalData["metadata.name"].
  const metadata = () =>
    Object.fromEntries(
      Object.entries(item.object('additionalData')).flatMap(([key, value]) =>
        key.startsWith('metadata.') ? [[key.slice('metadata.'.length), value]] : [],
      ),
    );
  const fields = () => ({ merchantReference: item.value('merchantReference'), ...metadata() });
  const paid = (referenceNumber: string) =>
    paymentArrival(origin, {
      referenceNumber,
      ...item.payer(fields(), 'additionalData.metadata', channel),
      amount: money(),
      paymentDate: occurredAt(),
      metadata: { ...metadata(), merchantReference: item.words('merchantReference') ?? null },
    });
  const failed = (referenceNumber: string) =>
    failureArrival(origin, {
      referenceNumber,
      failureReference: item.id('pspReference'),
      amount: money(),
      reason: item.words('reason') ?? 'refused',
      occurredAt: occurredAt(),
      fields: fields(),
    });
  const reversed = (reason: string, { all = false, reference = item.id('pspReference') } = {}) =>
    reversalArrival(origin, {
      referenceNumber: item.id('originalReference'),
      reversalReference: reference,
      amount: all ? null : money(),
      reason,
      occurredAt: occurredAt(),
    });
  const named = () => `${item.id('pspReference')}:${eventCode}`;

  switch (eventCode) {
    case 'AUTHORISATION':
      if (!succeeded) return failed(item.id('pspReference'));
      return isManual ? undefined : paid(item.id('pspReference'));
    case 'CAPTURE':
      if (!isManual) return undefined;
      return succeeded ? paid(item.id('originalReference')) : failed(item.id('originalReference'));
    case 'CAPTURE_FAILED':
      return reversed('capture failed', { all: true });
    case 'CANCELLATION':
    case 'TECHNICAL_CANCEL':
      return succeeded && !isManual ? reversed('cancelled', { all: true }) : undefined;
    case 'CANCEL_OR_REFUND':
      // Which of the two it came to is told beside it; a cancelled authorisation was money for automatic capture only.
      if (!succeeded || (isManual && item.object('additionalData')['modification.action'] === 'cancel'))
        return undefined;
      return reversed('refund', { all: true });
    case 'REFUND':
      return succeeded ? reversed('refund') : undefined;
    case 'CHARGEBACK':
      return succeeded ? reversed('chargeback') : undefined;
    case 'SECOND_CHARGEBACK':
    case 'PREARBITRATION_LOST':
      return succeeded ? reversed('chargeback', { reference: named() }) : undefined;
    case 'REFUND_FAILED':
    case 'REFUNDED_REVERSED':
    case 'CHARGEBACK_REVERSED':
      return succeeded ? paid(named()) : undefined;
    default:
      return undefined;
  }
}
