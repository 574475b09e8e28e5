import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isNumberSource, type NumberSource, parseExactJson } from './exact-json.ts';

const anyText = fc.string({ unit: 'binary', maxLength: 8 }).filter((text) => !text.includes('\0'));
const anyNumber = fc.stringMatching(/^-?(0|[1-9]\d{0,30})(\.\d{1,30})?([eE][+-]?\d{1,2})?$/);
// Keys like "7" would come first when written again, as in any JavaScript object.
const anyKey = fc
  .oneof(anyText, fc.constantFrom('__proto__', 'constructor', 'rawJSON'))
  .filter((key) => !/^\d+$/.test(key));
const quoted = (text: string) => JSON.stringify(text);
/** JSON texts without white space. */
const anyJson = fc.letrec<{ json: string }>((tie) => ({
  json: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    anyNumber,
    anyText.map(quoted),
    fc.constantFrom('true', 'false', 'null'),
    fc.array(tie('json'), { maxLength: 4 }).map((items) => `[${items.join()}]`),
    fc
      .uniqueArray(fc.tuple(anyKey, tie('json')), { selector: ([key]) => key, maxLength: 4 })
      .map((members) => `{${members.map(([key, value]) => `${quoted(key)}:${value}`).join()}}`),
  ),
})).json;

test('what is parsed and written again is the same text, digit for digit', () => {
  fc.assert(
    fc.property(anyJson, (text) => {
      expect(JSON.stringify(parseExactJson(text))).toBe(text);
    }),
    { numRuns: 1_000 },
  );
});

test.each([
  '10.000000000000000001',
  '-0',
  '1.50',
  '1E+2',
  '9007199254740993',
  '5e-324',
  '1.7976931348623157e308',
  '0e0',
])('the number %s keeps its spelling', (source) => {
  const { n } = parseExactJson(`{"n": ${source} }`) as { n: NumberSource };
  expect(n.rawJSON).toBe(source);
});

test('an object that looks like a number source is none', () => {
  expect(isNumberSource(parseExactJson('{"rawJSON": "1"}'))).toBe(false);
  expect(isNumberSource(parseExactJson('1'))).toBe(true);
  expect([1, '1', null, undefined].some(isNumberSource)).toBe(false);
});

test('of a key that comes twice the last value counts, with its own digits', () => {
  expect(JSON.stringify(parseExactJson('{"a": 1.0, "b": [2.0], "a": 3.00, "b": 4.0}'))).toBe(
    '{"a":3.00,"b":4.0}',
  );
});

test('a key __proto__ is a key like any other', () => {
  const parsed = parseExactJson('{"__proto__": {"polluted": 1.0}}') as object;
  expect(Object.getPrototypeOf(parsed)).toBe(Object.prototype);
  expect(Object.keys(parsed)).toEqual(['__proto__']);
});

const nested = (depth: number, open = '[', close = ']', inner = '') =>
  open.repeat(depth) + inner + close.repeat(depth);

describe('refusals', () => {
  test.each([
    ['nested deeper than 100', nested(101)],
    ['nested deeper than 100', nested(101, '{"a":', '}', '1')],
    ['nested deeper than 100', '['.repeat(60_000)],
    ['a number is beyond the range of a double', '1e309'],
    ['a number is beyond the range of a double', '[-1e400]'],
    ['a number is beyond the range of a double', '1e-400'],
    ['a number is beyond the range of a double', `0.${'0'.repeat(400)}1`],
    ['a number is beyond the range of a double', '9'.repeat(400)],
    ['a number has more than 1000 decimals', '0e-99999999'],
    ['a number has more than 1000 decimals', '0e99999999'],
    ['a number has more than 1000 decimals', `1.${'0'.repeat(1001)}`],
    ['a number has more than 1000 decimals', `${'1'.repeat(300)}.${'1'.repeat(900)}e-101`],
    ['a text holds U+0000 or a lone surrogate', '"a\\u0000b"'],
    ['a text holds U+0000 or a lone surrogate', '["\\ud800"]'],
    ['a text holds U+0000 or a lone surrogate', '"\\udc00\\ud800"'],
    ['a key holds U+0000 or a lone surrogate', '{"\\u0000": 1}'],
    ['a key holds U+0000 or a lone surrogate', '{"a": {"\\ud83d": 1}}'],
  ])('%s: %.40s', (reason, text) => {
    expect(() => parseExactJson(text)).toThrow(new SyntaxError(reason));
  });

  test.each([
    '',
    ' ',
    '{',
    '[1,]',
    '{"a":1,}',
    "{'a':1}",
    '{a:1}',
    '01',
    '+1',
    '.5',
    '5.',
    'NaN',
    'undefined',
    '"\n"',
    '1 2',
    '\uFEFF1',
    '"\\x"',
  ])('not JSON: %j', (text) => expect(() => parseExactJson(text)).toThrow(SyntaxError));
});

test('what lies just within the limits is accepted', () => {
  expect(JSON.stringify(parseExactJson(nested(100)))).toBe(nested(100));
  const brackets = `["${'[{'.repeat(200)}\\"${'['.repeat(200)}\\\\"]`;
  expect(parseExactJson(brackets)).toEqual(JSON.parse(brackets));
  expect(parseExactJson('"\\ud83d\\ude00"')).toBe('😀');
  const longest = [`1.${'0'.repeat(1000)}`, '0e-1000', '9'.repeat(308)];
  expect(JSON.stringify(parseExactJson(`[${longest}]`))).toBe(`[${longest}]`);
});

test('no 64 KB of hostile text takes much longer than ordinary text', () => {
  const size = 64 * 1024;
  const fill = (part: string) => part.repeat(Math.floor(size / part.length));
  const member = '{"name":"value","amount":100.50},';
  const ordinary = `[${fill(member).slice(0, -1)}]`;
  const numbered = (value: string) => Array.from({ length: 5_000 }, (_, i) => `"k${i}":${value}`).join();
  const hostile = [
    ...['[', '{"a":', '"', '\\', '"\\', '[]', '1', '-', '0.', '1e', ' ', '{}', '[[', '"\\u0000'].map(fill),
    `[${fill('0,')}0]`,
    `"${fill('\\\\')}"`,
    `"${fill('\\"')}`,
    `0.${fill('0')}1`,
    `${fill('1')}e-70000`,
    `{${numbered('1')}}`,
    `{${fill('"k":1,')}"k":1}`,
    nested(100, '[', ']', fill('1,') + 1),
    nested(100, '{"a":', '}', `[${fill('1,')}1]`),
  ];
  const cpuMs = (text: string) => {
    const runs = [1, 2, 3].map(() => {
      const before = process.cpuUsage();
      try {
        parseExactJson(text);
      } catch (error) {
        expect(error).toBeInstanceOf(SyntaxError);
      }
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1000;
    });
    return Math.min(...runs);
  };
  // Quadratic work on such a text would take thousands of times as long.
  const limitMs = 100 * Math.max(1, cpuMs(ordinary));
  for (const text of hostile) expect(cpuMs(text), text.slice(0, 20)).toBeLessThan(limitMs);
});
