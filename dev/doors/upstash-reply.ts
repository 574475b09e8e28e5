// A Redis reply as Upstash writes it in JSON. Strings are base64 when the caller asked for it, except a bare OK;
// integers keep all their digits, lists stay lists, nil is null.

import { RESP_TYPES } from 'redis';

/** What node-redis gives with this mapping: bytes for every string, a string of digits for every integer. */
export type Reply = Buffer | string | null | Error | Reply[];

export const replyTypes = {
  [RESP_TYPES.BLOB_STRING]: Buffer,
  [RESP_TYPES.SIMPLE_STRING]: Buffer,
  [RESP_TYPES.NUMBER]: String,
} as const;

export type StringEncoding = 'base64' | 'utf8';

/** `{"result": ...}`, or `{"error": ...}` for an error. */
export function wrapReply(reply: Reply, encoding: StringEncoding): string {
  if (reply instanceof Error) return JSON.stringify({ error: reply.message });
  if (Buffer.isBuffer(reply) && reply.equals(ok)) return '{"result":"OK"}';
  return `{"result":${toJson(reply, encoding)}}`;
}

const ok = Buffer.from('OK');

/** Inside a list even OK is encoded, because the SDK decodes it there. A script's error inside a list is its text. */
function toJson(reply: Reply, encoding: StringEncoding): string {
  if (reply === null) return 'null';
  if (typeof reply === 'string') return reply;
  if (Array.isArray(reply)) return `[${reply.map((element) => toJson(element, encoding)).join(',')}]`;
  const text = reply instanceof Error ? Buffer.from(reply.message) : reply;
  return JSON.stringify(text.toString(encoding));
}
