// Standard Webhooks 1.0 (standardwebhooks.com): the HMAC-SHA256 of `{id}.{timestamp}.{body}` in base64, several
// signatures allowed in the header so that the sender can rotate too.

import { ok, refused } from '../../result.ts';
import type { ChannelOf } from '../channel.ts';
import {
  fromBase64,
  hmacMatches,
  type SignedRequest,
  signedContent,
  timestampFault,
  type Verified,
} from './signature.ts';

const signaturesLimit = 8;

export async function verifyStandard(
  channel: ChannelOf<'standard'>,
  request: SignedRequest,
  now: Date,
): Promise<Verified> {
  const id = request.header('webhook-id');
  const timestamp = request.header('webhook-timestamp');
  const signatureList = request.header('webhook-signature');
  if (!id || !timestamp || !signatureList) return refused('missing_header');
  const fault = timestampFault(timestamp, now);
  if (fault) return refused(fault);

  const signatures = signatureList
    .split(' ')
    .filter((entry) => entry.startsWith('v1,'))
    .slice(0, signaturesLimit)
    .flatMap((entry) => fromBase64(entry.slice('v1,'.length)) ?? []);
  if (signatures.length === 0) return refused('malformed_header');

  const secrets = channel.secrets.flatMap((secret) => fromBase64(secret.slice('whsec_'.length)) ?? []);
  const content = signedContent(`${id}.${timestamp}.`, request.body);
  return (await hmacMatches('SHA-256', secrets, signatures, content)) ? ok(undefined) : refused('mismatch');
}
