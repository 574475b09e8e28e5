// What payments and events have in common before their bodies are read. The order of the checks: channel, address, rate,
// media type, size and time, signature; nothing of an unsigned body is looked at.

import { isWithin } from '../../shared/payments/address-block.ts';
import { type Channel, channelBringing, schemeOf } from '../../shared/payments/channel.ts';
import type { SignatureRefusal, SignedPart } from '../../shared/payments/channels/signature.ts';
import { ProviderFault } from '../../shared/payments/scheme.ts';
import { verifySignature } from '../../shared/payments/verify-signature.ts';
import { clientAddress, type RequestContext, refuse } from '../app.ts';
import { type RateLimit, rateLimitTimeoutMs } from '../rate-limit.ts';
import { readBody } from '../read-body.ts';
import { openRedis } from '../redis.ts';
import type { WebhooksSettings } from './env.ts';

type Ctx = RequestContext<WebhooksSettings>;

interface SignedBody {
  channel: Channel;
  body: Uint8Array<ArrayBuffer>;
  /** The part of the body that is signed, where that is not all of it. */
  signed: SignedPart | undefined;
}

const signatureDetails: Record<SignatureRefusal, string> = {
  no_secret: 'This channel accepts nothing until it has a secret.',
  missing_header: 'A header that the signature scheme needs is missing.',
  malformed_header: 'A header of the signature scheme cannot be read.',
  expired: 'The timestamp is more than 300 seconds away from now.',
  mismatch: 'The signature does not match the body.',
};

/** The body of a request that has passed, or the answer to one that has not. Without a `bodyLimit` it is the scheme's. */
export async function receiveSigned(
  c: Ctx,
  rateLimit: RateLimit,
  what: 'payments' | 'events',
  bodyLimit?: number,
): Promise<SignedBody | Response> {
  const { channels, defaultChannel, redis, bodyTimeoutMs } = c.get('settings');
  const channel = channelBringing(what, channels, c.req.param('channel') ?? defaultChannel[what]);
  if (!channel) return refuse(c, 'unknown_channel');
  const from = clientAddress(c);
  if (!isAllowed(channel, from)) return refuse(c, 'address_not_allowed');
  const wait = await rateLimit.secondsToWait(
    `${channel.name}:${from}`,
    () => openRedis(redis, rateLimitTimeoutMs),
    Date.now(),
  );
  if (wait !== undefined) return refuse(c, 'rate_limited', { retryAfterSeconds: wait });
  const scheme = schemeOf(channel);
  if (!isOf(scheme.mediaType, c.req.raw.headers)) return refuse(c, 'unsupported_media_type');

  const body = await readBody(c.req.raw, bodyLimit ?? scheme.bodyLimit, bodyTimeoutMs);
  if (!body.ok) return refuse(c, body.refusal);
  const request = { header: (name: string) => c.req.header(name), body: body.value };
  const verified = await verifySignature(channel, request, new Date(), within(bodyTimeoutMs)).catch(
    (error) => {
      if (error instanceof ProviderFault) return error;
      throw error;
    },
  );
  if (verified instanceof ProviderFault) {
    c.get('log').error('provider_away', { channel: channel.name, error: verified.message });
    return refuse(c, 'unavailable', { detail: "The provider's API is away.", retryAfterSeconds: 5 });
  }
  if (!verified.ok) return refuseSignature(c, channel, verified.refusal);
  return { channel, body: body.value, signed: verified.value };
}

const isAllowed = (channel: Channel, address: string) =>
  channel.allow.length === 0 || channel.allow.some((block) => isWithin(address, block));

const isOf = (mediaType: RegExp, headers: Headers) =>
  mediaType.test(headers.get('content-type') ?? '') &&
  /^(identity)?$/i.test(headers.get('content-encoding') ?? '');

const within = (timeoutMs: number) => (url: string, init?: RequestInit) =>
  fetch(url, { ...init, signal: AbortSignal.timeout(timeoutMs) });

export function refuseSignature(c: Ctx, channel: Channel, refusal: SignatureRefusal): Response {
  c.get('log').warn('signature_refused', { channel: channel.name, reason: refusal });
  return refuse(c, 'invalid_signature', { detail: signatureDetails[refusal] });
}
