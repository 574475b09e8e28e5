// Standard Webhooks 1.0 (standardwebhooks.com): the HMAC-SHA256 of `{id}.{timestamp}.{body}` in base64, several
// signatures allowed in the header so that the sender can rotate too. The body is the documented payment.

import { ok, refused } from '../../result.ts';
import { type ChannelBase, json, type Scheme, usualBodyLimit } from '../scheme.ts';
import {
  base64Of,
  fromBase64,
  hmacMatches,
  type SignedRequest,
  signedContent,
  timestampFault,
  type Verified,
} from './signature.ts';
import { parseSingle } from './single.ts';

const signaturesLimit = 8;

export const standard = {
  settings: {},
  secret: { fault: secretFault, of: (random) => `whsec_${base64Of(random)}` },
  mediaType: json,
  bodyLimit: usualBodyLimit,
  single: true,
  ignoredTypes: [],
  identifiers: [],
  verify,
  parse: parseSingle,
} satisfies Scheme;

function secretFault(secret: string): string | undefined {
  const key = /^whsec_[A-Za-z0-9+/]+=*$/.test(secret) ? fromBase64(secret.slice('whsec_'.length)) : undefined;
  return key && key.length >= 24 && key.length <= 64
    ? undefined
    : 'expected whsec_ and 24 to 64 bytes in base64';
}

async function verify(channel: ChannelBase, request: SignedRequest, now: Date): Promise<Verified> {
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
