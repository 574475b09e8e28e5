// A Kafka message as the fields of an envelope. Envelopes are JSON objects of texts, in which the payload may stand as
// an object, too; the headers `event_id` and `event_type` say what such an object lacks. In our own log the value is the
// payload itself.

import { canonicalJson } from '../../shared/canonical-json.ts';
import { isNumberSource, readExactJson } from '../../shared/exact-json.ts';
import type { Fields } from '../../shared/stream/envelope.ts';

export interface KafkaMessage {
  value: Buffer | null;
  headers?: Record<string, Buffer | string | Array<Buffer | string> | undefined> | undefined;
}

/**
 * Null for a message without a value: that is how Kafka deletes. A value that is no JSON object is delivered as a
 * payload, so that it is refused with a reason where payloads are read.
 */
export function messageFields({ value, headers }: KafkaMessage, isLog: boolean): Fields | null {
  if (value === null) return null;
  const text = value.toString('utf8');
  const fields = (isLog ? undefined : fieldsOfObject(text)) ?? { payload: text };
  const fromHeader = (name: string, ...spellings: string[]): Fields => {
    const said = [headers?.[name]].flat()[0]?.toString();
    return said && !spellings.some((spelling) => fields[spelling]) ? { [name]: said } : {};
  };
  return {
    ...fields,
    ...fromHeader('event_id', 'id', 'event_id'),
    ...fromHeader('event_type', 'event_type', 'msg_type', 'typ'),
  };
}

function fieldsOfObject(text: string): Fields | undefined {
  try {
    const value = readExactJson(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value) || isNumberSource(value))
      return undefined;
    const given = Object.entries(value).filter(([, member]) => member !== null);
    return Object.fromEntries(
      given.map(([name, member]) => [name, typeof member === 'string' ? member : canonicalJson(member)]),
    );
  } catch {
    // No JSON, or nested so deeply that the engine gives up.
    return undefined;
  }
}
