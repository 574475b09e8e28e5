// A plain HMAC over the body, as many providers have it: header, algorithm, encoding and prefix are the channel's
// settings. With a timestamp header the signed text is `{timestamp}.{body}` and old requests are refused. The body is the
// documented payment.

import * as z from 'zod/mini';
import { ok, refused } from '../../result.ts';
import { type ChannelWith, json, type Scheme, usualBodyLimit } from '../scheme.ts';
import {
  fromBase64,
  fromHex,
  hexOf,
  hmacMatches,
  type SignedRequest,
  secretBytes,
  signedContent,
  timestampFault,
  type Verified,
} from './signature.ts';
import { parseSingle } from './single.ts';

const hashes = { sha256: 'SHA-256', sha384: 'SHA-384', sha512: 'SHA-512' } as const;

const headerName = z
  .string('expected a header name')
  .check(z.refine((text) => /^[A-Za-z0-9-]{1,64}$/.test(text), 'expected a header name'));

const settings = {
  header: headerName,
  algorithm: z._default(
    z.enum(['sha256', 'sha384', 'sha512'], 'expected sha256, sha384 or sha512'),
    'sha256',
  ),
  encoding: z._default(z.enum(['hex', 'base64'], 'expected hex or base64'), 'hex'),
  /** Text before the signature in its header, e.g. `sha256=`. */
  prefix: z._default(z.string('expected a text'), ''),
  /** When set, this header holds Unix seconds and the signed text is `<timestamp>.<body>`. */
  timestampHeader: z.optional(headerName),
};

type HmacChannel = ChannelWith<typeof settings>;

export const hmac = {
  settings,
  secret: {
    fault: (secret) => (secret.length < 16 ? 'expected at least 16 characters' : undefined),
    of: hexOf,
  },
  mediaType: json,
  bodyLimit: usualBodyLimit,
  single: true,
  ignoredTypes: [],
  identifiers: [],
  verify,
  parse: parseSingle,
} satisfies Scheme<HmacChannel>;

async function verify(channel: HmacChannel, request: SignedRequest, now: Date): Promise<Verified> {
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
