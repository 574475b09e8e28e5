import { expect, test } from 'vitest';
import { createPaymentBodyReader } from './payment-body.ts';
import { standardChannel } from './testing.ts';

const read = createPaymentBodyReader({ timeZone: 'Europe/Berlin', currency: 'EUR' });
const channel = standardChannel({ name: 'bank', namespace: 'shared' });
const bytes = (text: string) => new TextEncoder().encode(text);

/** Fields as JSON text, so that a number is spelled as the sender spells it. */
const fields: Record<string, string> = {
  reference_number: '"REF-1"',
  loan_account_number: '"LN-1"',
  cif: '"CIF-1"',
  amount: '100.50',
  currency: '"EUR"',
  payment_date: '"2026-11-23T10:15:30Z"',
  payment_channel: '"SEPA"',
  metadata: '{}',
};
const bodyOf = (over: Record<string, string | undefined> = {}) => {
  const members = Object.entries({ ...fields, ...over }).filter(([, value]) => value !== undefined);
  return `{${members.map(([name, value]) => `"${name}": ${value}`).join(', ')}}`;
};
const readBody = (over?: Record<string, string | undefined>) => read(bytes(bodyOf(over)), channel);
const payment = (over?: Record<string, string | undefined>) => {
  const result = readBody(over);
  if (!result.ok) throw new Error(JSON.stringify(result.refusal));
  return result.value;
};
const faults = (over?: Record<string, string | undefined>): string[] => {
  const result = readBody(over);
  if (result.ok || result.refusal.kind !== 'invalid') throw new Error('expected faults');
  return result.refusal.faults.map(({ field, code, message }) => `${field} ${code}: ${message}`);
};

test('the documented body is a payment', () => {
  expect(payment()).toEqual({
    requiresReceipt: false,
    source: 'webhook',
    actor: 'channel:bank',
    namespace: 'shared',
    referenceNumber: 'REF-1',
    loanAccountNumber: 'LN-1',
    cif: 'CIF-1',
    amount: { amountMinor: 10_050n, currency: 'EUR' },
    paymentDate: new Date('2026-11-23T10:15:30Z'),
    paidOn: '2026-11-23',
    paymentChannel: 'SEPA',
    metadata: '{}',
  });
});

test.each(['null', undefined])(
  'an optional field that is %s is open: currency, channel and metadata have defaults',
  (open) => {
    const { amount, paymentChannel, metadata } = payment({
      currency: open,
      payment_channel: open,
      metadata: open,
    });
    expect({ amount, paymentChannel, metadata }).toEqual({
      amount: { amountMinor: 10_050n, currency: 'EUR' },
      paymentChannel: 'bank',
      metadata: '{}',
    });
  },
);

test.each(['100.50', '"100.50"', '1.005e2', '1.0050E+2', '10050e-2', '"10050e-2"', '100.5'])(
  'the amount may be spelled %s',
  (amount) => expect(payment({ amount }).amount.amountMinor).toBe(10_050n),
);

test.each([
  ['1.005', 'too_many_decimals: has more decimals than its currency'],
  ['100.500', 'too_many_decimals: has more decimals than its currency'],
  ['10.000000000000000001', 'too_many_decimals: has more decimals than its currency'],
  ['0', 'not_positive: must be more than zero'],
  ['"-1"', 'not_positive: must be more than zero'],
  ['1e13', 'too_large: must be below 10000000000000'],
  ['"1,50"', 'not_a_number: expected a number or a decimal text'],
  ['""', 'not_a_number: expected a number or a decimal text'],
  ['true', 'invalid: expected a number or a decimal text'],
  ['null', 'invalid: expected a number or a decimal text'],
  ['{"rawJSON": "1"}', 'invalid: expected a number or a decimal text'],
])('the amount %s is refused as %s', (amount, fault) => {
  expect(faults({ amount })).toEqual([`amount ${fault}`]);
});

test('an amount has the decimals of the currency it is sent in', () => {
  expect(payment({ amount: '1.234', currency: '"KWD"' }).amount).toEqual({
    amountMinor: 1_234n,
    currency: 'KWD',
  });
  expect(payment({ amount: '100', currency: '"JPY"' }).amount).toEqual({
    amountMinor: 100n,
    currency: 'JPY',
  });
  expect(faults({ amount: '100.0', currency: '"JPY"' })).toHaveLength(1);
  expect(faults({ currency: '"eur"' })).toEqual(['currency invalid: expected an ISO 4217 code']);
});

test('every field at fault is told at once, the amount too', () => {
  const all = faults({
    reference_number: '" REF"',
    loan_account_number: `"${'L'.repeat(21)}"`,
    cif: '7',
    amount: '1.005',
    payment_date: '"2026-02-30"',
    payment_channel: '"a\\tb"',
    metadata: '[]',
  });
  expect(all).toEqual([
    'reference_number invalid: must not begin or end with white space',
    'loan_account_number invalid: expected a text of 1 to 20 characters',
    'cif invalid: expected a text of 1 to 20 characters',
    'payment_date invalid: expected an ISO 8601 date and time',
    'payment_channel invalid: must not hold control characters',
    'metadata invalid: expected an object',
    'amount too_many_decimals: has more decimals than its currency',
  ]);
});

test('an amount of an unknown currency is not judged', () => {
  expect(faults({ amount: '1.005', currency: '"BTC"' })).toEqual([
    'currency invalid: expected an ISO 4217 code',
  ]);
});

test('every field that must be there is missed', () => {
  const required = ['reference_number', 'loan_account_number', 'cif', 'amount', 'payment_date'];
  const none = Object.fromEntries(Object.keys(fields).map((name) => [name, undefined]));
  expect(faults(none).map((line) => line.split(' ')[0])).toEqual(required);
  for (const name of required) expect(faults({ [name]: 'null' }), name).toHaveLength(1);
});

test.each([
  ['reference_number', 255],
  ['loan_account_number', 20],
  ['cif', 20],
  ['payment_channel', 100],
])('%s holds up to %d characters of any script, inner spaces included', (field, limit) => {
  const longest = `${'é 漢'.repeat(85).slice(0, limit - 1)}x`;
  expect(readBody({ [field]: JSON.stringify(longest) }).ok).toBe(true);
  for (const bad of ['', `${longest}x`, ' ', 'a ', '\u00a0a', 'a\u0001', 'a\u0085b', 'a\nb']) {
    expect(readBody({ [field]: JSON.stringify(bad) }).ok, JSON.stringify(bad)).toBe(false);
  }
});

test('identifiers are kept as they came, however JSON escapes them', () => {
  expect(payment({ reference_number: '"Zahlung \\u2013 \\ud83d\\ude00/é"' }).referenceNumber).toBe(
    'Zahlung – 😀/é',
  );
  expect(payment({ reference_number: '"0007"' }).referenceNumber).toBe('0007');
});

test.each([
  ['2026-11-23T23:30:00Z', '2026-11-23T23:30:00.000Z', '2026-11-24'],
  ['2026-11-23T23:30:00', '2026-11-23T22:30:00.000Z', '2026-11-23'],
  ['2026-11-24T00:30:00+05:30', '2026-11-23T19:00:00.000Z', '2026-11-23'],
  ['2026-11-23', '2026-11-22T23:00:00.000Z', '2026-11-23'],
  ['2026-07-01 00:00:00', '2026-06-30T22:00:00.000Z', '2026-07-01'],
  ['2026-11-23T22:59:59.999999Z', '2026-11-23T22:59:59.999Z', '2026-11-23'],
])('the payment date %s is %s, in Berlin on %s', (text, instant, paidOn) => {
  const { paymentDate, paidOn: day } = payment({ payment_date: `"${text}"` });
  expect([paymentDate.toISOString(), day]).toEqual([instant, paidOn]);
});

test.each(['1700000000', '"yesterday"', '"2026-11-23T25:00:00Z"', '""', '"9999-12-31T23:59:59Z"'])(
  'the payment date %s is refused',
  (payment_date) =>
    expect(faults({ payment_date })).toEqual(['payment_date invalid: expected an ISO 8601 date and time']),
);

test('metadata keeps every digit, every key and every text', () => {
  const metadata =
    '{"rate":10.000000000000000001,"n":1E+2,"list":[1.0,{"é":"\\"😀"}],"__proto__":{"x":1.50},"":null}';
  expect(payment({ metadata }).metadata).toBe(metadata);
});

test.each(['5', '"text"', '[]', 'true'])('metadata %s is no object', (metadata) => {
  expect(faults({ metadata })).toEqual(['metadata invalid: expected an object']);
});

test('fields that nobody asked for are ignored, __proto__ and the like too', () => {
  const more = { extra: '{"a": [1]}', __proto__2: '1', constructor: '"x"', toString: 'null' };
  expect(payment(more)).toEqual(payment());
  const inherited = `{"__proto__": ${bodyOf()}}`;
  const result = read(bytes(inherited), channel);
  expect(result).toMatchObject({ ok: false, refusal: { kind: 'invalid' } });
});

test.each(['5', '"text"', '[]', 'null', 'true', `[${bodyOf()}]`])('the body %.10s is no object', (text) => {
  expect(read(bytes(text), channel)).toEqual({
    ok: false,
    refusal: { kind: 'invalid', faults: [{ field: 'body', code: 'invalid', message: 'expected an object' }] },
  });
});

test.each([
  ['nothing', bytes('')],
  ['no JSON', bytes('{"reference_number": ')],
  ['two bodies', bytes(bodyOf() + bodyOf())],
  ['Latin-1', Uint8Array.from(Buffer.from(bodyOf({ cif: '"é"' }), 'latin1'))],
  ['a number that Postgres cannot keep', bytes(bodyOf({ metadata: '{"n": 0e-20000}' }))],
  ['U+0000', bytes(bodyOf({ metadata: '{"a\\u0000": 1}' }))],
])('%s is malformed, with a reason', (_, body) => {
  const result = read(body, channel);
  expect(result).toMatchObject({
    ok: false,
    refusal: { kind: 'malformed', reason: expect.stringMatching(/\w/) },
  });
});

test('a malformed body leaves the reader as it was', () => {
  expect(read(Uint8Array.from([0x7b, 0xe2, 0x82]), channel)).toEqual({
    ok: false,
    refusal: { kind: 'malformed', reason: 'not UTF-8' },
  });
  expect(read(bytes(bodyOf()), channel).ok).toBe(true);
});

test('card data in metadata and in the name of the channel is masked, identifiers never are', () => {
  const number = '4111111111111111';
  const read = payment({
    reference_number: `"${number}"`,
    loan_account_number: `"${number}"`,
    cif: `"${number}"`,
    payment_channel: `"card ${number}"`,
    metadata: `{"note":"by ${number}","n":${number},"cvv":"123","cif":"${number}"}`,
  });
  expect(read).toMatchObject({
    referenceNumber: number,
    loanAccountNumber: number,
    cif: number,
    paymentChannel: 'card [card 1111]',
    metadata: `{"note":"by [card 1111]","n":"[card 1111]","cvv":"***","cif":"${number}"}`,
  });
});
