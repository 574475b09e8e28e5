// An event as other systems send it: a flat set of text fields, in one of two spellings, becomes one shape. Who it is,
// when its sender says it happened, and the hash that tells a repetition from another event under the same id. Every way
// in (Redis, Kafka, HTTP, replay) reads through here, so that an event is the same event whichever way it comes.
//
//   what                short    long
//   type                typ      event_type, msg_type; payments of our own log name it in the payload
//   identity                     id, event_id; without either, a hash of conversation, sequence, cause, type and payload
//   conversation        conv     conversation_id, cid
//   customer            usr      user_id
//   sender              agt
//   sequence            seq      sequence, c_seq; orders nothing: some senders always write 1
//   time                         timestamp, after the payload's changed_at
//   payload             dat      payload, JSON text; without it, whatever other fields there are

import { canonicalJson } from '../canonical-json.ts';
import { isNumberSource, parseExactJson } from '../exact-json.ts';
import { uuidOf } from '../id.ts';
import { ok, type Result, refused } from '../result.ts';
import { type SenderTime, senderTime } from './sender-time.ts';

export type Fields = Readonly<Record<string, string>>;

export interface StreamEvent {
  id: string;
  type: string;
  conversationId: string | undefined;
  customerId: string | undefined;
  sender: string | undefined;
  /** Undefined: nothing says when. */
  time: SenderTime | undefined;
  /** Numbers as NumberSource. */
  payload: Record<string, unknown>;
  /** The same as canonical JSON. */
  payloadText: string;
  payloadHash: string;
}

/** Ids are told and indexed: no longer than this, and nothing invisible. */
const idLimit = 200;
const typeLimit = 100;
const payloadLimit = 256 * 1024;

/** Random, fixed for good: another one would let events without an id in twice. */
const identitySpace = '0b5c3f4e-6a0d-4c7c-9c39-5f2f7f0f5d11';
const hashSpace = 'c8f6a2d4-1d3b-4a58-8f5e-2b7f0c9d6e13';

const envelopeFields = new Set([
  ...[
    'conv',
    'conversation_id',
    'cid',
    'agt',
    'usr',
    'user_id',
    'seq',
    'sequence',
    'c_seq',
    'cls',
    'typ',
    'event_type',
  ],
  ...['msg_type', 'cause', 'id', 'event_id', 'payload', 'dat', 'rec', 'timestamp', 'key'],
]);

/**
 * `timeZone` is that of times without an offset. Refuses with a reason that may be shown to the sender. `nameUuid` does
 * what uuidOf does; a runtime may have a quicker one.
 */
export function readEnvelope(
  fields: Fields,
  timeZone: string,
  nameUuid: typeof uuidOf = uuidOf,
): Result<StreamEvent, string> {
  const first = (...names: string[]): string | undefined => {
    for (const name of names) if (fields[name]) return fields[name];
    return undefined;
  };
  const payload = readPayload(fields, first('payload', 'dat'));
  if (!payload.ok) return payload;

  const type = first('event_type', 'msg_type', 'typ') ?? textOf(payload.value.event_type);
  if (!type) return refused('it names no type');
  if (!isName(type, typeLimit))
    return refused(`its type has more than ${typeLimit} characters, or invisible ones`);

  const conversationId = first('conv', 'conversation_id', 'cid');
  const customerId = first('usr', 'user_id');
  for (const named of [conversationId, customerId])
    if (named !== undefined && !isName(named, idLimit))
      return refused(`its conversation or customer has more than ${idLimit} characters, or invisible ones`);

  const payloadText = canonicalJson(payload.value);
  const id =
    first('id', 'event_id') ??
    nameUuid(
      identitySpace,
      JSON.stringify([conversationId, first('seq', 'sequence', 'c_seq'), fields.cause, type, payloadText]),
    );
  if (!isName(id, idLimit)) return refused(`its id has more than ${idLimit} characters, or invisible ones`);

  const time = timeOf(payload.value, fields, timeZone);
  if (!time.ok) return time;
  return ok({
    id,
    type,
    conversationId,
    customerId,
    sender: first('agt'),
    time: time.value,
    payload: payload.value,
    payloadText,
    payloadHash: nameUuid(hashSpace, `${type} ${payloadText}`),
  });
}

export const isName = (text: string, limit = idLimit): boolean =>
  text.length > 0 &&
  text.length <= limit &&
  (/^[ -~]+$/.test(text) || (text.isWellFormed() && !/\p{Cc}/u.test(text)));

function readPayload(fields: Fields, text: string | undefined): Result<Record<string, unknown>, string> {
  // Without one, the other fields are held to what a payload is held to.
  if (text === undefined) {
    const others = Object.entries(fields).filter(([name]) => !envelopeFields.has(name));
    return readPayload(fields, JSON.stringify(Object.fromEntries(others)));
  }
  if (text.length > payloadLimit) return refused(`its payload has more than ${payloadLimit} characters`);
  try {
    const value = parseExactJson(text);
    // Some senders write the JSON of JSON.
    const object = typeof value === 'string' ? parseExactJson(value) : value;
    if (typeof object === 'object' && object !== null && !Array.isArray(object) && !isNumberSource(object))
      return ok(object as Record<string, unknown>);
    return refused('its payload is not a JSON object');
  } catch (error) {
    // What the engine says quotes the payload; only our own reasons are told.
    const reason = (error as Error).message;
    return refused(
      /^(nested|a (text|key|number))/.test(reason) ? `its payload: ${reason}` : 'its payload is not JSON',
    );
  }
}

function timeOf(
  payload: Record<string, unknown>,
  fields: Fields,
  timeZone: string,
): Result<SenderTime | undefined, string> {
  const given: Array<[string, string | undefined]> = [
    ['changed_at', textOf(payload.changed_at)],
    ['timestamp', fields.timestamp],
    ['timestamp', textOf(payload.timestamp)],
  ];
  for (const [name, text] of given) {
    if (!text) continue;
    const time = senderTime(text, timeZone);
    return time === undefined ? refused(`its ${name} is not a time`) : ok(time);
  }
  return ok(undefined);
}

const textOf = (value: unknown): string | undefined => {
  if (typeof value === 'string') return value;
  return isNumberSource(value) ? value.rawJSON : undefined;
};
