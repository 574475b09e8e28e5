// A plain HMAC over the body, as many providers have it: header, algorithm, encoding and prefix are the channel's
// settings. With a timestamp header the signed text is `{timestamp}.{body}` and old requests are refused.

import { ok, refused } from '../../result.ts';
import type { ChannelOf } from '../channel.ts';
import {
  fromBase64,
  fromHex,
  hmacMatches,
  type SignedRequest,
  secretBytes,
  signedContent,
  timestampFault,
  type Verified,
} from './signature.ts';

const hashes = { sha256: 'SHA-256', sha384: 'SHA-384', sha512: 'SHA-512' } as const;

export async function verifyHmac(
  channel: ChannelOf<'hmac'>,
  request: SignedRequest,
  now: Date,
): Promise<Verified> {
  const header = request.header(channel.header);
  const timestamp = channel.timestampHeader && request.header(channel.timestampHeader);
  if (!header || timestamp === '' || (channel.timestampHeader && !timestamp))
    return refused('missing_header');
  const fault = timestamp && timestampFault(timestamp, now);
  if (fault) return refused(fault);

  if (!header.startsWith(channel.prefix)) return refused('malformed_header');
  const encoded = header.slice(channel.prefix.length);
  const signature = channel.encoding === 'hex' ? fromHex(encoded) : fromBase64(encoded);
  if (!signature) return refused('malformed_header');

  const content = timestamp ? signedContent(`${timestamp}.`, request.body) : request.body;
  const secrets = channel.secrets.map(secretBytes);
  return (await hmacMatches(hashes[channel.algorithm], secrets, [signature], content))
    ? ok(undefined)
    : refused('mismatch');
}
