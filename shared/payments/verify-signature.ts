// Verifies a webhook by its channel's scheme. Without a secret nothing is ever accepted.

import { refused } from '../result.ts';
import type { Channel } from './channel.ts';
import { verifyHmac } from './channels/hmac.ts';
import type { SignedRequest, Verified } from './channels/signature.ts';
import { verifyStandard } from './channels/standard.ts';

export async function verifySignature(
  channel: Channel,
  request: SignedRequest,
  now: Date,
): Promise<Verified> {
  if (channel.secrets.length === 0) return refused('no_secret');
  switch (channel.scheme) {
    case 'standard':
      return verifyStandard(channel, request, now);
    case 'hmac':
      return verifyHmac(channel, request, now);
  }
}
