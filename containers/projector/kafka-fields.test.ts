import { expect, test } from 'vitest';
import { readEnvelope } from '../../shared/stream/envelope.ts';
import { messageFields } from './kafka-fields.ts';

const fieldsOf = (value: string, headers?: Record<string, string>, isLog = false) =>
  messageFields(
    {
      value: Buffer.from(value),
      headers: headers && Object.fromEntries(Object.entries(headers).map(([k, v]) => [k, Buffer.from(v)])),
    },
    isLog,
  );

test('an envelope keeps its texts, and everything else becomes text with all of its digits', () => {
  expect(
    fieldsOf('{"typ":"x","seq":1,"urgent":true,"usr":null,"payload":{"b":[1.50],"a":10.000000000000000001}}'),
  ).toEqual({
    typ: 'x',
    seq: '1',
    urgent: 'true',
    payload: '{"a":10.000000000000000001,"b":[1.50]}',
  });
});

test('a payload is the same event whether it stands as text or as an object', () => {
  const [asText, asObject] = [
    fieldsOf('{"typ":"x","payload":"{\\"b\\":1,\\"a\\":2}"}'),
    fieldsOf('{"typ":"x","payload":{"a":2,"b":1}}'),
  ].map((fields) => readEnvelope(fields ?? {}, 'UTC'));
  expect(asText).toMatchObject({ ok: true });
  expect(asObject).toEqual(asText);
});

test.each([
  ['{"typ":"x"}', { event_id: '1', event_type: 'y' }, { typ: 'x', event_id: '1' }],
  ['{"id":"2"}', { event_id: '1', event_type: 'y' }, { id: '2', event_type: 'y' }],
  ['{"event_id":"","msg_type":"x"}', { event_id: '1' }, { event_id: '1', msg_type: 'x' }],
  ['{"a":"b"}', { other: 'z' }, { a: 'b' }],
])('%s with headers says of itself what it can, and headers the rest', (value, headers, expected) => {
  expect(fieldsOf(value, headers)).toEqual(expected);
});

test('in our own log the whole value is the payload, digit for digit', () => {
  const value = '{"event_type": "payment.recorded", "payment": {"amount": 1.50}}';
  expect(fieldsOf(value, { event_id: '1', event_type: 'payment.recorded' }, true)).toEqual({
    payload: value,
    event_id: '1',
    event_type: 'payment.recorded',
  });
});

const deep = `{"payload":${'['.repeat(200_000)}${']'.repeat(200_000)}}`;

test.each(['', 'no JSON', '[]', '"text"', '7', 'null', deep])(
  'a value that is no JSON object is refused with a reason as every payload is (%#)',
  (value) => {
    const fields = fieldsOf(value, { event_id: '1', event_type: 'x' });
    expect(fields).toEqual({ payload: value, event_id: '1', event_type: 'x' });
  },
);

test('a payload that is no JSON object is refused where payloads are read', () => {
  const fields = fieldsOf('no JSON', { event_type: 'x' });
  expect(readEnvelope(fields ?? {}, 'UTC')).toEqual({ ok: false, refusal: 'its payload is not JSON' });
});

test('a field called __proto__ is a field', () => {
  const fields = fieldsOf('{"__proto__":{"a":"b"}}');
  expect(Object.entries(fields ?? {})).toEqual([['__proto__', '{"a":"b"}']]);
  expect(Object.getPrototypeOf(fields)).toBe(Object.prototype);
});

test('a message without a value has been deleted', () => {
  expect(messageFields({ value: null }, false)).toBeNull();
});
