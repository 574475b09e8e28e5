import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Fields, readEnvelope, type StreamEvent } from './envelope.ts';

function read(fields: Fields): StreamEvent {
  const result = readEnvelope(fields, 'Europe/Berlin');
  if (!result.ok) throw new Error(result.refusal);
  return result.value;
}
const refusal = (fields: Fields) => {
  const result = readEnvelope(fields, 'Europe/Berlin');
  return result.ok ? undefined : result.refusal;
};

const long: Fields = {
  event_type: 'user_input',
  id: 'e-1',
  conversation_id: 'V1',
  sequence: '7',
  user_id: 'C1',
  timestamp: '2026-01-05T10:00:00Z',
  payload: '{"utterance":"hello"}',
};
const short: Fields = {
  typ: 'user_input',
  conv: 'V1',
  agt: 'chat',
  usr: 'C1',
  seq: '1',
  cls: 'msg',
  cause: 'c-1',
  rec: '["all"]',
  payload: '{"utterance":"hello"}',
};

const without = (fields: Fields, ...names: string[]): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name)));

test('the long spelling is read', () => {
  expect(read(long)).toEqual({
    id: 'e-1',
    type: 'user_input',
    conversationId: 'V1',
    customerId: 'C1',
    sender: undefined,
    time: '2026-01-05T10:00:00.000000000Z',
    payload: { utterance: 'hello' },
    payloadText: expect.stringMatching(/^\{.*\}$/),
    payloadHash: expect.stringMatching(/^[0-9a-f-]{36}$/),
  });
});

test('the short spelling is read, and what it says is the same', () => {
  expect(read(short)).toEqual({
    ...read(long),
    id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    sender: 'chat',
    time: undefined,
  });
});

test.each([
  ['event_type', 'msg_type'],
  ['event_type', 'typ'],
  ['conversation_id', 'cid'],
  ['conversation_id', 'conv'],
  ['user_id', 'usr'],
  ['sequence', 'c_seq'],
  ['sequence', 'seq'],
  ['id', 'event_id'],
  ['payload', 'dat'],
])('%s may be called %s, to the same event', (name, alias) => {
  expect(read({ ...without(long, name), [alias]: long[name] ?? '' })).toEqual(read(long));
  const anonymous = without(long, 'id');
  if (name !== 'id')
    expect(read({ ...without(anonymous, name), [alias]: long[name] ?? '' })).toEqual(read(anonymous));
});

test('a field that is empty counts as absent', () => {
  expect(read({ ...long, typ: '', conv: '', usr: '', agt: '', dat: '', event_id: '' })).toEqual(read(long));
});

test('payments of our own log name their type and their time in the payload', () => {
  const payload = '{"event_type":"payment.recorded","timestamp":"2026-11-24T22:40:26.536Z","payment":{}}';
  expect(read({ event_id: 'p-1', key: 'LN1', payload })).toMatchObject({
    id: 'p-1',
    type: 'payment.recorded',
    time: '2026-11-24T22:40:26.536000000Z',
  });
});

describe('who it is', () => {
  test('id comes before event_id', () => {
    expect(read({ ...long, event_id: 'e-2' }).id).toBe('e-1');
    expect(read({ ...without(long, 'id'), event_id: 'e-2' }).id).toBe('e-2');
  });

  test('a cause is no identity: several events may share it', () => {
    const other = { ...short, payload: '{"utterance":"again"}' };
    expect(read(other).id).not.toBe(read(short).id);
  });

  test('without an id it follows from conversation, sequence, cause, type and content', () => {
    for (const [name, value] of [
      ['conv', 'V2'],
      ['seq', '2'],
      ['cause', 'c-2'],
      ['typ', 'assistant_response'],
      ['payload', '{"utterance":"Hello"}'],
    ] as const)
      expect(read({ ...short, [name]: value }).id, name).not.toBe(read(short).id);
    for (const [name, value] of [
      ['agt', 'other'],
      ['usr', 'C2'],
      ['cls', 'cmd'],
      ['rec', ''],
      ['timestamp', '2026-01-01'],
      ['payload', ' { "utterance" : "hello" } '],
    ] as const)
      expect(read({ ...short, [name]: value }).id, name).toBe(read(short).id);
  });

  test('the id of events without one never changes', () => {
    expect(read(short).id).toBe('df457afb-bd45-5a5c-a9b8-d9d6dc4df4ee');
  });

  test('where one part ends and the next begins makes a difference', () => {
    expect(read({ ...short, conv: 'V', seq: '11' }).id).not.toBe(read({ ...short, conv: 'V1', seq: '1' }).id);
  });
});

describe('the hash of the content', () => {
  test('is the same whatever the order of keys, and whatever the envelope', () => {
    const one = read({ ...long, payload: '{"a":1,"b":{"c":2,"d":3}}' });
    const two = read({ ...short, payload: '{ "b": {"d":3,"c":2}, "a":1 }' });
    expect(two.payloadHash).toBe(one.payloadHash);
  });

  test('is another one for another type and for another digit', () => {
    const one = read({ ...long, payload: '{"a":1.5}' });
    expect(read({ ...long, payload: '{"a":1.50}' }).payloadHash).not.toBe(one.payloadHash);
    expect(read({ ...long, event_type: 'x', payload: '{"a":1.5}' }).payloadHash).not.toBe(one.payloadHash);
  });
});

describe('when it happened', () => {
  const at = (fields: Fields) => read({ ...without(long, 'timestamp'), ...fields }).time;

  test('the payload’s changed_at comes first, then the timestamp, then the payload’s timestamp', () => {
    const payload = '{"changed_at":"2026-01-01T00:00:00Z","timestamp":"2026-01-03T00:00:00Z"}';
    expect(at({ payload, timestamp: '2026-01-02T00:00:00Z' })).toMatch(/^2026-01-01/);
    expect(
      at({ payload: '{"timestamp":"2026-01-03T00:00:00Z"}', timestamp: '2026-01-02T00:00:00Z' }),
    ).toMatch(/^2026-01-02/);
    expect(at({ payload: '{"timestamp":"2026-01-03T00:00:00Z"}' })).toMatch(/^2026-01-03/);
    expect(at({ payload: '{"changed_at":null}', timestamp: '2026-01-02T00:00:00Z' })).toMatch(/^2026-01-02/);
    expect(at({})).toBeUndefined();
  });

  test('a number is Unix time, and its digits are kept', () => {
    expect(at({ payload: '{"changed_at":1767607200.123456}' })).toBe('2026-01-05T10:00:00.123456000Z');
  });

  test('a time without an offset is of the business zone', () => {
    expect(at({ timestamp: '2026-01-05T10:00:00.000001' })).toBe('2026-01-05T09:00:00.000001000Z');
  });

  test.each([
    [{ timestamp: 'soon' }, 'its timestamp is not a time'],
    [{ payload: '{"changed_at":"2026-02-30"}' }, 'its changed_at is not a time'],
    [{ payload: '{"changed_at":5}' }, 'its changed_at is not a time'],
  ])('%j is refused: %s', (fields, reason) => {
    expect(refusal({ ...long, ...fields })).toBe(reason);
  });
});

describe('the payload', () => {
  test('may be the JSON of JSON', () => {
    expect(read({ ...long, payload: JSON.stringify(long.payload) })).toEqual(read(long));
  });

  test('may be missing: then whatever other fields there are', () => {
    const fields = { ...without(long, 'payload'), account_id: 'A1', current_balance: '10.00' };
    expect(read(fields).payload).toEqual({ account_id: 'A1', current_balance: '10.00' });
  });

  test('keeps every digit of its numbers', () => {
    const { payload } = read({ ...long, payload: '{"n":10.000000000000000001}' });
    expect(JSON.stringify(payload)).toBe('{"n":10.000000000000000001}');
  });

  test.each([
    ['a list', '[1]', 'its payload is not a JSON object'],
    ['null', 'null', 'its payload is not a JSON object'],
    ['a number', '1', 'its payload is not a JSON object'],
    ['a number in a text', '"5"', 'its payload is not a JSON object'],
    ['a text', '"text"', 'its payload is not JSON'],
    ['a broken object', '{"secret":', 'its payload is not JSON'],
    ['U+0000', '{"a":"\\u0000"}', 'its payload: a text holds U+0000 or a lone surrogate'],
    ['a number without bounds', '{"a":1e999}', 'its payload: a number is beyond the range of a double'],
    ['too deep a nesting', `${'['.repeat(101)}${']'.repeat(101)}`, 'its payload: nested deeper than 100'],
    ['too long a text', `{"a":"${'x'.repeat(256 * 1024)}"}`, 'its payload has more than 262144 characters'],
  ])('of %s is refused', (_name, payload, reason) => {
    expect(refusal({ ...long, payload })).toBe(reason);
  });

  test('that is spread over fields is held to the same limits', () => {
    const flat = without(long, 'payload');
    expect(refusal({ ...flat, note: 'a\u0000b' })).toBe(
      'its payload: a text holds U+0000 or a lone surrogate',
    );
    expect(refusal({ ...flat, 'no\u0000te': 'ab' })).toBe(
      'its payload: a key holds U+0000 or a lone surrogate',
    );
    expect(refusal({ ...flat, note: 'x'.repeat(256 * 1024) })).toBe(
      'its payload has more than 262144 characters',
    );
  });
});

describe('names', () => {
  const most = 'x'.repeat(200);
  test('of 200 characters are read, longer and invisible ones are refused', () => {
    expect(read({ ...long, id: most, conversation_id: most, user_id: most })).toMatchObject({
      id: most,
      conversationId: most,
      customerId: most,
    });
    expect(read({ ...long, event_type: 'x'.repeat(100) }).type).toHaveLength(100);
  });

  test.each<[Fields, string]>([
    [{ id: `${most}x` }, 'its id has more than 200 characters, or invisible ones'],
    [{ id: 'a\nb' }, 'its id has more than 200 characters, or invisible ones'],
    [{ id: 'a\ud800' }, 'its id has more than 200 characters, or invisible ones'],
    [{ user_id: `${most}x` }, 'its conversation or customer has more than 200 characters, or invisible ones'],
    [
      { conversation_id: '\u0000' },
      'its conversation or customer has more than 200 characters, or invisible ones',
    ],
    [{ event_type: 'x'.repeat(101) }, 'its type has more than 100 characters, or invisible ones'],
    [{ event_type: 'a\tb' }, 'its type has more than 100 characters, or invisible ones'],
    [{ event_type: '' }, 'it names no type'],
  ])('that break this are told: %#', (fields, reason) => {
    expect(refusal({ ...long, ...fields })).toBe(reason);
  });

  test('no fields at all are no event', () => {
    expect(refusal({})).toBe('it names no type');
  });
});

test('whatever the fields are, it answers, and a refusal never quotes them', () => {
  const name = fc.oneof(
    fc.constantFrom(...Object.keys(long), ...Object.keys(short), 'dat', 'c_seq', '__proto__'),
    fc.string(),
  );
  const value = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.json(),
    fc.constantFrom('user_input', '2026-01-01', '{"changed_at":"MARKER"}', '{"MARKER'),
  );
  fc.assert(
    fc.property(fc.dictionary(name, value), (fields) => {
      const result = readEnvelope(fields, 'Europe/Berlin');
      if (result.ok) expect(readEnvelope(fields, 'Europe/Berlin')).toEqual(result);
      else expect(result.refusal).not.toContain('MARKER');
    }),
    { numRuns: 500 },
  );
});
