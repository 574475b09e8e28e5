import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalJson } from './canonical-json.ts';
import { parseExactJson } from './exact-json.ts';

const canonical = (text: string) => canonicalJson(parseExactJson(text));

/** The same content with the members of every object the other way round. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, member]) => [key, reversed(member)]),
  );
}

const anyContent = fc
  .jsonValue({ stringUnit: 'grapheme' })
  .filter((value) => !JSON.stringify(value).includes('\\u0000'));

test('the order of keys and white space make no difference', () => {
  fc.assert(
    fc.property(anyContent, (value) => {
      expect(canonical(JSON.stringify(reversed(value), undefined, 2))).toBe(canonical(JSON.stringify(value)));
    }),
  );
});

test('it is JSON of the same content', () => {
  fc.assert(
    fc.property(anyContent, (value) => {
      const text = JSON.stringify(value);
      expect(JSON.parse(canonical(text))).toEqual(JSON.parse(text));
    }),
  );
});

test.each([
  ['{"b": 1, "a": [2, {"d": null, "c": true}]}', '{"a":[2,{"c":true,"d":null}],"b":1}'],
  ['{"n": 1.50}', '{"n":1.50}'],
  ['{"n": 10.000000000000000001, "e": 1E+2}', '{"e":1E+2,"n":10.000000000000000001}'],
  ['{"10": 1, "9": 2, "é": 3, "z": 4}', '{"10":1,"9":2,"z":4,"é":3}'],
  ['{"__proto__": {"b": 1, "a": 2}}', '{"__proto__":{"a":2,"b":1}}'],
  ['"a\\u00e9\\n"', '"aé\\n"'],
  ['[]', '[]'],
  ['null', 'null'],
])('%s is written %s', (text, expected) => {
  expect(canonical(text)).toBe(expected);
});

test('what differs only in a digit or in the order of a list is told apart', () => {
  expect(canonical('{"n":1.5}')).not.toBe(canonical('{"n":1.50}'));
  expect(canonical('[1,2]')).not.toBe(canonical('[2,1]'));
  expect(canonical('{"n":"1"}')).not.toBe(canonical('{"n":1}'));
});

test('a member that is undefined is no member', () => {
  expect(canonicalJson({ b: undefined, a: 1 })).toBe('{"a":1}');
});
