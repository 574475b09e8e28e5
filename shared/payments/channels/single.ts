// The schemes whose body is the documented payment, one a body.

import { ok, type Result } from '../../result.ts';
import { type BodyRefusal, readPaymentBody } from '../payment-body.ts';
import type { Business } from '../payment-fields.ts';
import type { ChannelBase, Parsed } from '../scheme.ts';

export function parseSingle(
  body: Uint8Array,
  channel: ChannelBase,
  business: Business,
): Result<Parsed, BodyRefusal> {
  const read = readPaymentBody(body, channel, business);
  if (!read.ok) return read;
  return ok({ arrivals: [{ kind: 'payment', payment: read.value }], ignored: [], rejected: [] });
}
