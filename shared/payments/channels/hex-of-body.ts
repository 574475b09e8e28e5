// The plainest scheme of all, which several providers share: one header with the hex HMAC-SHA256 of the body.

import { ok, refused } from '../../result.ts';
import type { ChannelBase } from '../scheme.ts';
import { fromHex, hmacMatches, type SignedRequest, secretBytes, type Verified } from './signature.ts';

export async function verifyHexOfBody(
  channel: ChannelBase,
  request: SignedRequest,
  headerName: string,
): Promise<Verified> {
  const header = request.header(headerName);
  if (!header) return refused('missing_header');
  const signature = fromHex(header);
  if (!signature) return refused('malformed_header');
  const secrets = channel.secrets.map(secretBytes);
  return (await hmacMatches('SHA-256', secrets, [signature], request.body))
    ? ok(undefined)
    : refused('mismatch');
}
