// A signed webhook becomes exactly one payment. The order of the checks: channel, address, rate, media type, size,
// signature, body; nothing of an unsigned body is looked at. One database round trip on the way to the answer.

import { isWithin } from '../../shared/payments/address-block.ts';
import type { Channel } from '../../shared/payments/channel.ts';
import type { SignatureRefusal } from '../../shared/payments/channels/signature.ts';
import type { Recorded } from '../../shared/payments/payment.ts';
import { createPaymentBodyReader, type ReadPaymentBody } from '../../shared/payments/payment-body.ts';
import { verifySignature } from '../../shared/payments/verify-signature.ts';
import { clientAddress, type RequestContext, refuse } from '../app.ts';
import { readBody } from '../read-body.ts';
import { openRedis } from '../redis.ts';
import { type Accepted, acceptDuringOutage } from './accept-arrivals.ts';
import type { WebhooksSettings } from './env.ts';
import { RateLimit, rateLimitTimeoutMs } from './rate-limit.ts';
import { createRecorder, type RecordPayment } from './record-payment.ts';

type Ctx = RequestContext<WebhooksSettings>;

const bodyLimitBytes = 64 * 1024;
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
  record: RecordPayment;
}

export function createPaymentWebhook() {
  let current: Kept | undefined;
  const keep = (settings: WebhooksSettings): Kept => ({
    settings,
    readPayment: createPaymentBodyReader(settings.business),
    rateLimit: new RateLimit(settings.rateLimitPerMinute),
    record: createRecorder(settings),
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
    c.set('channel', channel.name);

    const payment = kept.readPayment(body.value, channel);
    if (!payment.ok) {
      return payment.refusal.kind === 'malformed'
        ? refuse(c, 'malformed_body', { detail: payment.refusal.reason })
        : refuse(c, 'invalid_request', { errors: payment.refusal.faults });
    }
    const arrivals = [{ kind: 'payment' as const, payment: payment.value }];
    const [recorded] = await acceptDuringOutage(settings, c.get('log'), arrivals, async () => [
      await kept.record(payment.value, c.get('afterwards')),
    ]);
    return answer(c, channel, recorded as Recorded | Accepted);
  };
}

const isAllowed = (channel: Channel, address: string) =>
  channel.allow.length === 0 || channel.allow.some((block) => isWithin(address, block));

const isPlainJson = (headers: Headers) =>
  /^application\/(json|[\w.-]+\+json)\s*(;|$)/i.test(headers.get('content-type') ?? '') &&
  /^(identity)?$/i.test(headers.get('content-encoding') ?? '');

const statuses = { created: 201, duplicate: 200, accepted: 202 } as const;

function answer(c: Ctx, channel: Channel, recorded: Recorded | Accepted): Response {
  const { outcome, paymentId } = recorded;
  c.get('afterwards').counts.add('recoup_webhook_payments_total', { channel: channel.name, outcome });
  c.get('log').info('payment', { channel: channel.name, outcome, payment_id: paymentId });
  const body = { status: outcome, payment_id: paymentId };
  if (recorded.outcome !== 'conflict') return c.json(body, statuses[recorded.outcome]);
  const { conflictId } = recorded;
  if (channel.conflict === 200) return c.json({ ...body, conflict_id: conflictId }, 200);
  return refuse(c, 'payment_conflict', {
    members: { payment_id: recorded.paymentId, conflict_id: conflictId },
  });
}
