// A signed webhook becomes exactly one payment. The order of the checks: channel, address, rate, media type, size,
// signature, body; nothing of an unsigned body is looked at. One database round trip on the way to the answer.

import type { Database } from '../../shared/database.ts';
import { DatabaseFault } from '../../shared/database.ts';
import { isWithin } from '../../shared/payments/address-block.ts';
import type { Channel } from '../../shared/payments/channel.ts';
import type { SignatureRefusal } from '../../shared/payments/channels/signature.ts';
import { factsHash, identityOf, type NewPayment, type Recorded } from '../../shared/payments/payment.ts';
import { createPaymentBodyReader, type ReadPaymentBody } from '../../shared/payments/payment-body.ts';
import { recordPayments } from '../../shared/payments/record-payments.ts';
import { verifySignature } from '../../shared/payments/verify-signature.ts';
import { clientAddress, type RequestContext, refuse } from '../app.ts';
import { openDatabase } from '../database.ts';
import { readBody } from '../read-body.ts';
import { openRedis } from '../redis.ts';
import type { WebhooksSettings } from './env.ts';
import { RateLimit, rateLimitTimeoutMs } from './rate-limit.ts';
import { markKey, markValue, redisAskTimeoutMs, SeenInMemory, seenInRedis } from './seen-payments.ts';

type Ctx = RequestContext<WebhooksSettings>;

const bodyLimitBytes = 64 * 1024;
/** A database slower than this is helped by asking Redis whether the payment is known already. */
const slowDatabaseMs = 300;

const signatureDetails: Record<SignatureRefusal, string> = {
  no_secret: 'This channel accepts nothing until it has a secret.',
  missing_header: 'A header that the signature scheme needs is missing.',
  malformed_header: 'A header of the signature scheme cannot be read.',
  expired: 'The timestamp is more than 300 seconds away from now.',
  mismatch: 'The signature does not match the body.',
};

/** What an isolate keeps between requests: plain data only, no connections. */
interface Kept {
  settings: WebhooksSettings;
  readPayment: ReadPaymentBody;
  rateLimit: RateLimit;
  seen: SeenInMemory;
  db: Database;
}

export function createPaymentWebhook() {
  let current: Kept | undefined;
  const keep = (settings: WebhooksSettings): Kept => ({
    settings,
    readPayment: createPaymentBodyReader(settings.business),
    rateLimit: new RateLimit(settings.rateLimitPerMinute),
    seen: new SeenInMemory(settings.memoryCacheSize),
    db: openDatabase(settings.database),
  });

  return async (c: Ctx): Promise<Response> => {
    const settings = c.get('settings');
    const kept = current?.settings === settings ? current : keep(settings);
    current = kept;

    const channel = settings.channels.get(c.req.param('channel') ?? settings.defaultChannel);
    if (!channel) return refuse(c, 'unknown_channel');
    const from = clientAddress(c);
    if (!isAllowed(channel, from)) return refuse(c, 'address_not_allowed');
    const wait = await kept.rateLimit.secondsToWait(
      `${channel.name}:${from}`,
      () => openRedis(settings.redis, rateLimitTimeoutMs),
      Date.now(),
    );
    if (wait !== undefined) return refuse(c, 'rate_limited', { retryAfterSeconds: wait });
    if (!isPlainJson(c.req.raw.headers)) return refuse(c, 'unsupported_media_type');

    const body = await readBody(c.req.raw, bodyLimitBytes, settings.bodyTimeoutMs);
    if (!body.ok) return refuse(c, body.refusal);
    const signed = { header: (name: string) => c.req.header(name), body: body.value };
    const verified = await verifySignature(channel, signed, new Date());
    if (!verified.ok) {
      c.get('log').warn('signature_refused', { channel: channel.name, reason: verified.refusal });
      return refuse(c, 'invalid_signature', { detail: signatureDetails[verified.refusal] });
    }

    const payment = kept.readPayment(body.value, channel);
    if (!payment.ok) {
      return payment.refusal.kind === 'malformed'
        ? refuse(c, 'malformed_body', { detail: payment.refusal.reason })
        : refuse(c, 'invalid_request', { errors: payment.refusal.faults });
    }
    return answer(c, channel, await record(c, kept, channel, payment.value));
  };
}

const isAllowed = (channel: Channel, address: string) =>
  channel.allow.length === 0 || channel.allow.some((block) => isWithin(address, block));

const isPlainJson = (headers: Headers) =>
  /^application\/(json|[\w.-]+\+json)\s*(;|$)/i.test(headers.get('content-type') ?? '') &&
  /^(identity)?$/i.test(headers.get('content-encoding') ?? '');

/** Memory, then Postgres, and Redis only where Postgres is slow or away. */
async function record(c: Ctx, kept: Kept, channel: Channel, payment: NewPayment): Promise<Recorded> {
  const { settings, seen } = kept;
  const { counts } = c.get('afterwards');
  const looked = (layer: string, result: 'hit' | 'miss') =>
    counts.add('recoup_dedup_lookups_total', { layer, result });
  const identity = identityOf(payment);
  const facts = await factsHash(payment);

  const inMemory = seen.get(identity);
  if (settings.memoryCacheSize > 0) looked('memory', inMemory?.factsHash === facts ? 'hit' : 'miss');
  if (inMemory?.factsHash === facts) return { outcome: 'duplicate', paymentId: inMemory.paymentId };

  const startedAt = Date.now();
  const recording = recordPayments(kept.db, [payment], {
    source: 'webhook',
    actor: `channel:${channel.name}`,
  });
  const recorded = await unlessSlow(recording, async () => {
    if (settings.redisCacheTtlSeconds === 0) return undefined;
    const inRedis = await seenInRedis(openRedis(settings.redis, redisAskTimeoutMs), identity);
    looked('redis', inRedis?.factsHash === facts ? 'hit' : 'miss');
    if (inRedis?.factsHash !== facts) return undefined;
    const value = { outcome: 'duplicate', paymentId: inRedis.paymentId } as const;
    return { value, isOlder: (inRedis.markedAt ?? 0) < startedAt };
  });
  if ('layer' in recorded) return recorded.value;

  const [first] = recorded.value as [Recorded];
  looked('database', first.outcome === 'duplicate' ? 'hit' : 'miss');
  if (first.outcome !== 'conflict') {
    const mark = { paymentId: first.paymentId, factsHash: facts, markedAt: Date.now() };
    seen.set(identity, mark);
    if (settings.redisCacheTtlSeconds > 0) {
      c.get('afterwards').mark(markKey(identity), markValue(mark), settings.redisCacheTtlSeconds);
    }
  }
  return first;
}

/**
 * The database's answer, or that of `ask` when the database is away, or slow and what `ask` knows is older than this
 * request: a younger one may tell of what this very statement has done. The statement goes on either way; whatever
 * it does, it does once.
 */
async function unlessSlow<T, U>(
  recording: Promise<T>,
  ask: () => Promise<{ value: U; isOlder: boolean } | undefined>,
): Promise<{ value: T } | { layer: 'redis'; value: U }> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const slow = new Promise<'slow'>((resolve) => {
    timer = setTimeout(() => resolve('slow'), slowDatabaseMs);
  });
  const settled = recording.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  const early = await Promise.race([settled, slow]);
  clearTimeout(timer);
  if (early !== 'slow' && 'value' in early) return early;
  if (early !== 'slow' && !(early.error instanceof DatabaseFault && early.error.retryable)) throw early.error;

  const known = await ask();
  if (known?.isOlder) return { layer: 'redis', value: known.value };
  const late = await settled;
  if ('value' in late) return late;
  if (known) return { layer: 'redis', value: known.value };
  throw late.error;
}

function answer(c: Ctx, channel: Channel, recorded: Recorded): Response {
  const { outcome, paymentId } = recorded;
  c.get('afterwards').counts.add('recoup_webhook_payments_total', { channel: channel.name, outcome });
  c.get('log').info('payment', { channel: channel.name, outcome, payment_id: paymentId });
  const body = { status: outcome, payment_id: paymentId };
  if (recorded.outcome !== 'conflict') return c.json(body, outcome === 'created' ? 201 : 200);
  const { conflictId } = recorded;
  if (channel.conflict === 200) return c.json({ ...body, conflict_id: conflictId }, 200);
  return refuse(c, 'payment_conflict', { members: { payment_id: paymentId, conflict_id: conflictId } });
}
