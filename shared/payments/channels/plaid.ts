// Plaid (plaid.com/docs/api/webhooks/webhook-verification): `Plaid-Verification`, a JWT that Plaid signs with ES256 and that
// holds the SHA-256 of the body and its time. The key is asked for by its id at Plaid, with the channel's API token, and
// kept for a while. A webhook says only that there are new transfer events: it is a standing notice, and
// /transfer/event/sync is read on from where the last answer ended. Each event that concerns money becomes a notice of
// its own, for which /transfer/get is asked, so that one that cannot be read holds back no other.
//
//   settled           payment    the transfer's id. `posted` is on its way and may come to nothing
//   failed            failure    the event's id
//   returned          reversal   of all; held where the transfer never settled
//   refund.settled    reversal   the refund's id
//   refund.returned   payment    the money came back: a payment named by the refund
//
// Only debits count: a credit is money that goes out.

import * as z from 'zod/mini';
import { isNumberSource } from '../../exact-json.ts';
import { ok, type Result, refused } from '../../result.ts';
import type { Arrival } from '../arrival.ts';
import { identifiers, maskCardData } from '../mask-card-data.ts';
import type { NewNotice } from '../notice.ts';
import { type BodyRefusal, readJson } from '../payment-body.ts';
import type { Business } from '../payment-fields.ts';
import {
  type Asked,
  type ChannelWith,
  type Fetch,
  json,
  type Parsed,
  ProviderFault,
  type Scheme,
  usualBodyLimit,
} from '../scheme.ts';
import { askProvider, factsOf, tokenOf } from './provider-api.ts';
import { failureArrival, payerSettings, paymentArrival, Reading, reversalArrival } from './reading.ts';
import {
  fromBase64,
  hexOf,
  type SignedRequest,
  secretBytes,
  timestampFault,
  type Verified,
} from './signature.ts';

const settings = {
  ...payerSettings,
  /** The API's client id; the API token is Plaid's `secret` for it. */
  clientId: z
    .string('expected the client id')
    .check(z.refine((text) => text !== '', 'expected the client id')),
};
type PlaidChannel = ChannelWith<typeof settings>;

const updates = 'TRANSFER.TRANSFER_EVENTS_UPDATE';
const moneyEvents = ['settled', 'failed', 'returned', 'refund.settled', 'refund.returned'];
const ids = ['transfer_id', 'refund_id', 'item_id', 'account_id', 'event_id'];
const keptIds = new Set([...identifiers, ...ids]);
/** As many as the endpoint gives at once. */
const pageSize = 25;

export const plaid = {
  settings,
  secret: undefined,
  mediaType: json,
  bodyLimit: usualBodyLimit,
  single: false,
  ignoredTypes: [
    ...[
      'TRANSFER.RECURRING_NEW_TRANSFER',
      'TRANSFER.RECURRING_TRANSFER_SKIPPED',
      'TRANSFER.RECURRING_CANCELLED',
    ],
    ...[
      'ITEM.ERROR',
      'ITEM.PENDING_EXPIRATION',
      'ITEM.WEBHOOK_UPDATE_ACKNOWLEDGED',
      'AUTH.AUTOMATICALLY_VERIFIED',
    ],
    ...['TRANSACTIONS.SYNC_UPDATES_AVAILABLE', 'TRANSACTIONS.DEFAULT_UPDATE'],
  ],
  identifiers: ids,
  verify,
  parse,
  api: { defaultUrl: 'https://production.plaid.com', ask },
} satisfies Scheme<PlaidChannel>;

const post = (channel: PlaidChannel, members: string): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: `{"client_id":${JSON.stringify(channel.clientId)},"secret":${JSON.stringify(tokenOf(channel))},${members}}`,
});

// Verification keys -------------------------------------------------------------------------------------------

type VerificationKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;
const keyForMs = 3_600_000;
const unknownForMs = 60_000;
const keysLimit = 50;
/** Ids are chosen by whoever sends: with so many unknown ones at a time, further ones are unknown without asking. */
const unknownLimit = 20;
/** Undefined is an id that Plaid does not know, or a key that has expired. */
const keys = new Map<string, { key: VerificationKey | undefined; until: number }>();

async function keyOf(
  channel: PlaidChannel,
  id: string,
  now: Date,
  fetch: Fetch,
): Promise<VerificationKey | undefined> {
  const own = `${channel.api?.url} ${channel.clientId} `;
  const name = own + id;
  const held = keys.get(name);
  if (held && held.until > now.getTime()) return held.key;
  const unknown = [...keys].filter(
    ([of, other]) => of.startsWith(own) && !other.key && other.until > now.getTime(),
  );
  if (unknown.length >= unknownLimit) return undefined;
  const key = await fetchKey(channel, id, fetch);
  keys.delete(name);
  keys.set(name, { key, until: now.getTime() + (key ? keyForMs : unknownForMs) });
  if (keys.size > keysLimit) keys.delete(keys.keys().next().value as string);
  return key;
}

async function fetchKey(
  channel: PlaidChannel,
  id: string,
  fetch: Fetch,
): Promise<VerificationKey | undefined> {
  const request = post(channel, `"key_id":${JSON.stringify(id)}`);
  const { status, json } = await askProvider(channel, '/webhook_verification_key/get', request, fetch);
  const answer = new Reading(json);
  if (status === 400 && /KEY_ID|INVALID_FIELD/.test(answer.words('error_code') ?? '')) return undefined;
  if (status !== 200) throw new ProviderFault(`the API of ${channel.name} answered ${status}`);
  const [x, y] = [answer.words('key.x'), answer.words('key.y')];
  if (answer.value('key.expired_at') !== undefined || x === undefined || y === undefined) return undefined;
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
  return crypto.subtle
    .importKey('jwk', { kty: 'EC', crv: 'P-256', x, y }, algorithm, false, ['verify'])
    .catch(() => undefined);
}

const fromBase64Url = (text: string) =>
  /^[\w-]+$/.test(text) ? fromBase64(text.replaceAll('-', '+').replaceAll('_', '/')) : undefined;

function jwtPart(text: string): Reading | undefined {
  const bytes = fromBase64Url(text);
  const read = bytes && readJson(bytes);
  return read?.ok ? new Reading(read.value) : undefined;
}

async function verify(
  channel: PlaidChannel,
  request: SignedRequest,
  now: Date,
  fetch: Fetch,
): Promise<Verified> {
  const token = request.header('plaid-verification');
  if (!token) return refused('missing_header');
  const [head = '', claims = '', signature = '', ...rest] = token.split('.');
  const header = jwtPart(head);
  const id = header?.words('kid') ?? '';
  const bytes = fromBase64Url(signature);
  // Only this algorithm: a token must not choose how it is verified.
  if (
    header?.words('alg') !== 'ES256' ||
    !/^[\w-]{1,64}$/.test(id) ||
    bytes?.length !== 64 ||
    rest.length > 0
  )
    return refused('malformed_header');

  const key = await keyOf(channel, id, now, fetch);
  const algorithm = { name: 'ECDSA', hash: 'SHA-256' };
  if (!key || !(await crypto.subtle.verify(algorithm, key, bytes, secretBytes(`${head}.${claims}`))))
    return refused('mismatch');

  const claim = jwtPart(claims);
  const issuedAt = claim?.value('iat');
  const fault = timestampFault(isNumberSource(issuedAt) ? issuedAt.rawJSON : '', now);
  if (fault) return refused(fault);
  const hash = hexOf(new Uint8Array(await crypto.subtle.digest('SHA-256', request.body)));
  return claim?.words('request_body_sha256') === hash ? ok(undefined) : refused('mismatch');
}

// What it says --------------------------------------------------------------------------------------------------

function parse(body: Uint8Array, channel: PlaidChannel): Result<Parsed, BodyRefusal> {
  const read = readJson(body);
  if (!read.ok) return read;
  const webhook = new Reading(read.value);
  const type = `${webhook.id('webhook_type')}.${webhook.id('webhook_code')}`;
  if (type !== updates) return webhook.result({ arrivals: [], ignored: [type], rejected: [] });
  const notice = { ...noticeOf(channel, updates, 'transfer events', read.value), standing: true };
  return webhook.result({ arrivals: [{ kind: 'notice', notice }], ignored: [], rejected: [] });
}

const noticeOf = (
  channel: PlaidChannel,
  noticeReference: string,
  subject: string,
  payload: unknown,
): NewNotice => ({
  channel: channel.name,
  noticeReference,
  subject,
  payload: JSON.stringify(maskCardData(payload, keptIds)),
  standing: false,
  actor: `channel:${channel.name}`,
});

async function ask(
  notice: NewNotice & { cursor: string | null },
  channel: PlaidChannel,
  business: Business,
  fetch: Fetch,
): Promise<Result<Asked, BodyRefusal>> {
  if (notice.standing) return ok(await newEvents(notice.cursor ?? '0', channel, fetch));
  const read = readJson(secretBytes(notice.payload));
  if (!read.ok) return read;
  const request = post(channel, `"transfer_id":${JSON.stringify(notice.subject)}`);
  const transfer = new Reading(await factsOf(channel, '/transfer/get', request, fetch));
  return arrivalOf(new Reading(read.value), transfer, notice.noticeReference, channel, business);
}

/** Event ids are 64-bit numbers, so they stay text. */
async function newEvents(afterId: string, channel: PlaidChannel, fetch: Fetch): Promise<Asked> {
  const request = post(channel, `"after_id":${afterId},"count":${pageSize}`);
  const answer = new Reading(await factsOf(channel, '/transfer/event/sync', request, fetch));
  const events = answer.value('transfer_events');
  if (!Array.isArray(events)) throw new ProviderFault(`the API of ${channel.name} answered without events`);
  const arrivals: Arrival[] = [];
  let cursor = afterId;
  for (const one of events) {
    const event = new Reading(one);
    const id = event.value('event_id');
    const digits = isNumberSource(id) ? id.rawJSON : '';
    if (!/^\d{1,20}$/.test(digits))
      throw new ProviderFault(`the API of ${channel.name} answered an event without id`);
    if (BigInt(digits) > BigInt(cursor)) cursor = digits;
    if (!moneyEvents.includes(event.words('event_type') ?? '')) continue;
    if (event.words('transfer_type') === 'credit') continue;
    const transferId = event.words('transfer_id') ?? '';
    arrivals.push({ kind: 'notice', notice: noticeOf(channel, `event:${digits}`, transferId, one) });
  }
  return { arrivals, cursor, more: answer.value('has_more') === true || events.length >= pageSize };
}

function arrivalOf(
  event: Reading,
  transfer: Reading,
  reference: string,
  channel: PlaidChannel,
  business: Business,
): Result<Asked, BodyRefusal> {
  const origin = { channel, business };
  const metadata = transfer.object('transfer.metadata');
  const fields = { description: transfer.value('transfer.description'), ...metadata };
  const currency = 'transfer.iso_currency_code';
  const referenceNumber = transfer.id('transfer.id');
  const occurredAt = event.time('timestamp', business.timeZone);
  const type = event.words('event_type');
  const reason = () =>
    event.words('failure_reason.failure_code') ??
    event.words('failure_reason.ach_return_code') ??
    type ??
    'failed';
  const paid = (named: string, amountPath: string): Arrival =>
    paymentArrival(origin, {
      referenceNumber: named,
      ...transfer.payer(fields, 'transfer.metadata', channel),
      amount: transfer.decimalMoney(amountPath, currency),
      paymentDate: occurredAt,
      metadata,
    });
  /** Where the event's refund stands among those of the transfer. */
  const refundPath = () => {
    const refunds = transfer.value('transfer.refunds');
    const index = (Array.isArray(refunds) ? refunds : []).findIndex(
      (refund) => new Reading(refund).words('id') === event.words('refund_id'),
    );
    return `transfer.refunds.${index}`;
  };

  const arrival = ((): Arrival | undefined => {
    switch (type) {
      case 'settled':
        return paid(referenceNumber, 'transfer.amount');
      case 'failed':
        return failureArrival(origin, {
          referenceNumber,
          failureReference: reference,
          amount: transfer.decimalMoney('transfer.amount', currency),
          reason: reason(),
          occurredAt,
          fields,
        });
      case 'returned':
        return reversalArrival(origin, {
          referenceNumber,
          reversalReference: `${referenceNumber}:returned`,
          amount: null,
          reason: `returned: ${reason()}`,
          occurredAt,
        });
      case 'refund.settled':
        return reversalArrival(origin, {
          referenceNumber,
          reversalReference: event.id('refund_id'),
          amount: transfer.decimalMoney(`${refundPath()}.amount`, currency),
          reason: 'refund',
          occurredAt,
        });
      case 'refund.returned':
        return paid(`${event.id('refund_id')}:returned`, `${refundPath()}.amount`);
      default:
        event.fault('event_type', 'expected an event that concerns money');
        return undefined;
    }
  })();
  if (event.faults.length > 0) return event.result({ arrivals: [] });
  return transfer.result({ arrivals: arrival ? [arrival] : [] });
}
