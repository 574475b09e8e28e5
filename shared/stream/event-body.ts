// A body over HTTP becomes events: one JSON object, or an array of them. Each is read on its own, so that one that
// cannot be read does not take the others along. Numbers keep their digits.

import { isNumberSource, parseExactJson, readExactJson } from '../exact-json.ts';
import { ok, type Result, refused } from '../result.ts';
import { type Fields, readEnvelope } from './envelope.ts';
import type { NewEvent } from './new-event.ts';

const eventsLimit = 500;

export type EventBodyRefusal = { kind: 'malformed' | 'invalid'; reason: string };

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });

/** In the body's order, each event or the reason why it is none. Reasons may be shown to the sender. */
export function readEventBody(
  body: Uint8Array,
  timeZone: string,
): Result<Result<NewEvent, string>[], EventBodyRefusal> {
  let given: unknown;
  try {
    given = readExactJson(decoder.decode(body));
  } catch {
    return refused({ kind: 'malformed', reason: 'not JSON in UTF-8' });
  }
  const events = Array.isArray(given) ? given : [given];
  return events.length === 0 || events.length > eventsLimit
    ? refused({ kind: 'invalid', reason: `expected an event or an array of 1 to ${eventsLimit}` })
    : ok(events.map((event) => readEvent(event, timeZone)));
}

function readEvent(event: unknown, timeZone: string): Result<NewEvent, string> {
  const fields = fieldsOf(event);
  if (!fields.ok) return fields;
  const read = readEnvelope(fields.value, timeZone);
  return read.ok
    ? ok({ id: read.value.id, payloadHash: read.value.payloadHash, fields: fields.value })
    : read;
}

/** The event as the flat set of texts that a stream would deliver. A field that is null counts as absent. */
function fieldsOf(event: unknown): Result<Fields, string> {
  if (!isObject(event)) return refused('it is not an object');
  const fields: [name: string, text: string][] = [];
  for (const [name, value] of Object.entries(event)) {
    const isPayload = name === 'payload' || name === 'dat';
    if (isPayload && typeof value === 'object' && value !== null) fields.push([name, JSON.stringify(value)]);
    else if (isNumberSource(value)) fields.push([name, value.rawJSON]);
    else if (typeof value === 'string' || typeof value === 'boolean') fields.push([name, String(value)]);
    else if (value !== null)
      return refused('a field beside its payload is not a text, a number or a boolean');
  }
  try {
    return ok(parseExactJson(JSON.stringify(Object.fromEntries(fields))) as Fields);
  } catch (error) {
    return refused((error as Error).message);
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !isNumberSource(value);
