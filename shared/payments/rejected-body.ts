// A signed body that failed validation, as it is kept for staff: masked, and as text. Pure.

import { readExactJson } from '../exact-json.ts';
import { sha256 } from '../id.ts';
import { identifiers, maskCardData, maskCardText } from './mask-card-data.ts';
import type { BodyRefusal } from './payment-body.ts';

/** `open` until staff have sent it again or dismissed it; the first decision stands. */
export type RejectedBodyStatus = 'open' | 'resent' | 'dismissed';

export interface NewRejectedBody {
  channel: string;
  /** Of what is kept; together with the channel it tells a repeated body from another one. */
  bodyHash: string;
  body: string;
  /** Something in it was masked. */
  masked: boolean;
  /** It was masked as text, not value by value, so that it may no longer say what was sent: not to be sent unchanged. */
  altered: boolean;
  refusal: BodyRefusal;
  requestId: string;
}

/** What cannot be kept as text in Postgres, or is not UTF-8, becomes U+FFFD. */
const textOf = (body: Uint8Array | string) =>
  (typeof body === 'string' ? body : new TextDecoder().decode(body)).replaceAll('\u0000', '\ufffd');

/** `schemeIdentifiers` are left alone by masking, beside the usual ones. */
export async function rejectedBody(
  rejected: { channel: string; body: Uint8Array | string; refusal: BodyRefusal; requestId: string },
  schemeIdentifiers: readonly string[],
): Promise<NewRejectedBody> {
  const text = textOf(rejected.body);
  const { body, isJson } = maskBody(text, schemeIdentifiers);
  const masked = body !== text;
  return {
    channel: rejected.channel,
    // Not of the original: who has all of a card number but a few digits could try them against its hash.
    bodyHash: await sha256(body),
    body,
    masked,
    altered: masked && !isJson,
    refusal: maskRefusal(rejected.refusal),
    requestId: rejected.requestId,
  };
}

/** A body in which nothing is to be masked stays as it was written. */
export function maskBody(
  text: string,
  schemeIdentifiers: readonly string[],
): { body: string; isJson: boolean } {
  const kept = new Set([...identifiers, ...schemeIdentifiers]);
  let json: unknown;
  try {
    json = readExactJson(text);
  } catch {
    return { body: maskCardText(text), isJson: false };
  }
  const masked = JSON.stringify(maskCardData(json, kept));
  return { body: masked === JSON.stringify(json) ? text : masked, isJson: true };
}

/** A fault names the field as it was sent. */
const maskRefusal = (refusal: BodyRefusal): BodyRefusal =>
  refusal.kind === 'malformed'
    ? { ...refusal, reason: maskCardText(refusal.reason) }
    : { ...refusal, faults: refusal.faults.map((fault) => ({ ...fault, field: maskCardText(fault.field) })) };
