// Verifies a webhook by its channel's scheme. Without a secret nothing is ever accepted.

import { refused } from '../result.ts';
import { type Channel, schemeOf } from './channel.ts';
import type { SignedRequest, Verified } from './channels/signature.ts';
import type { Fetch } from './scheme.ts';

/** Throws ProviderFault where the scheme needs a key of the provider's and cannot get it. */
export async function verifySignature(
  channel: Channel,
  request: SignedRequest,
  now: Date,
  fetch: Fetch = (url, init) => globalThis.fetch(url, init),
): Promise<Verified> {
  const scheme = schemeOf(channel);
  const isKeyed = scheme.secret ? channel.secrets.length > 0 : channel.api?.token !== undefined;
  return isKeyed ? scheme.verify(channel, request, now, fetch) : refused('no_secret');
}
