import { describe, expect, test } from 'vitest';
import { readEnvelope } from '../stream/envelope.ts';
import { eventTypes } from './event-types.ts';
import { samples, withValue } from './events/testing.ts';
import { impersonal } from './fold-batch.ts';
import { type ReadEvent, readArchived, readEvent, writeWhole } from './read-event.ts';
import { event, rules } from './testing.ts';

const at = '2026-05-01T10:00:00Z';
const result = (type: string, payload: Record<string, unknown>, others: Record<string, string> = {}) =>
  readEvent(event(type, payload, { id: 'e-1', at, ...others }), rules);
function read(type: string, payload: Record<string, unknown>, others?: Record<string, string>): ReadEvent {
  const answer = result(type, payload, others);
  if (!answer.ok) throw new Error(`${type}: ${answer.refusal}`);
  return answer.value;
}
const refusal = (type: string, payload: Record<string, unknown>) => {
  const answer = result(type, payload);
  return answer.ok ? undefined : answer.refusal;
};
const claims = (type: string, payload: Record<string, unknown>) => read(type, payload).claims;

const all = Object.entries(samples);
const hasAny = (name: 'amounts' | 'words' | 'aliases' | 'personal') =>
  all.flatMap(([type, sample]) =>
    Object.keys(sample[name] ?? {}).length > 0 ? [[type, sample] as const] : [],
  );
/** These keep whatever they hold. */
const keepsAll = (type: string) => type === 'applicationDetail_changed' || /assessment/.test(type);

const detailWith = (detail: unknown) => ({
  ...(detail as object),
  brand_new: { a: ['1', { b: '2' }] },
  another: '1.005',
});

const deeply = (value: unknown, change: (leaf: unknown) => unknown): unknown => {
  if (Array.isArray(value)) return value.map((one) => deeply(one, change));
  if (typeof value !== 'object' || value === null) return change(value);
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, deeply(one, change)]));
};

test('there is a sample of every type that is folded', () => {
  const types = Object.keys(eventTypes);
  expect(
    Object.keys(samples)
      .filter((type) => types.includes(type))
      .sort(),
  ).toEqual(types.sort());
});

describe.each(all)('%s', (type, { payload, required }) => {
  test('says something, and reads the same with all numbers as texts', () => {
    const texts = deeply(payload, (leaf) => (typeof leaf === 'number' ? String(leaf) : leaf));
    expect(claims(type, payload).length).toBeGreaterThan(0);
    expect(claims(type, texts as typeof payload)).toEqual(claims(type, payload));
  });

  test('takes null for what is not said, and an empty text too', () => {
    for (const name of Object.keys(payload).filter((field) => !required.includes(field))) {
      const { [name]: _left, ...without } = payload;
      const expected = result(type, without);
      for (const nothing of Array.isArray(payload[name]) || typeof payload[name] === 'object'
        ? [null]
        : [null, ''])
        expect(dropEmpty(result(type, { ...payload, [name]: nothing })), `${name}: ${nothing}`).toEqual(
          dropEmpty(expected),
        );
    }
  });

  test('is refused without what it needs', () => {
    for (const name of required) {
      const { [name]: _left, ...without } = payload;
      if (name === 'conversation_id') expect(refusal(type, without)).toBe('it names no conversation');
      else expect(refusal(type, without)).toContain(name);
    }
  });

  test('passes over fields that nobody knows, or keeps them with what it holds', () => {
    const more = { ...payload, brand_new: { a: [1, { b: 2 }] }, another: 1.005 };
    const known = claims(type, payload);
    const entries = keepsAll(type)
      ? known.map(({ entry, ...claim }) =>
          entry ? { ...claim, entry: { ...entry, detail: detailWith(entry.detail) } } : claim,
        )
      : known;
    expect(claims(type, more)).toEqual(entries);
  });

  test('is the same after it was sealed and opened', () => {
    for (const others of [{}, { agt: 'sender', usr: 'C7', conv: 'V7' }] as Record<string, string>[]) {
      const before = read(type, payload, others);
      const { id, time } = before.event;
      const opened = readArchived({ eventId: id, type, time }, writeWhole(before.event));
      const after = readEvent(opened, rules);
      expect(after).toEqual({ ok: true, value: { ...before, event: { ...before.event, payloadHash: '' } } });
    }
  });

  test('is still about the same after everything personal is gone', () => {
    const before = read(type, payload);
    const after = impersonal(before, rules);
    expect(after).toMatchObject({
      aggregate: before.aggregate,
      related: before.related,
      subject: before.subject,
      facts: before.facts,
    });
    expect(after.claims.map(({ kind, id, creation }) => [kind, id, creation])).toEqual(
      before.claims.map(({ kind, id, creation }) => [kind, id, creation]),
    );
    expect(impersonal(after, rules)).toEqual(after);
  });

  test('keeps facts that say of money and days what it says itself', () => {
    const money = (one: ReadEvent) =>
      JSON.stringify(one.claims.map(({ values }) => values)).match(/"[^"]* EUR"|"\d{4}-\d\d-\d\d[^"]*"/g);
    const before = read(type, { ...payload, date_of_birth: undefined });
    expect(money(impersonal(before, rules))).toEqual(money(before));
  });
});

/** In what keeps everything, a null is kept as well. */
const dropEmpty = (answer: unknown) =>
  JSON.parse(
    JSON.stringify(answer, (key, value) =>
      value === null || value === '' || ['event', 'payloadHash'].includes(key) ? undefined : value,
    ),
  );

test.each(hasAny('amounts'))(
  'amounts of %s are refused with a third decimal, and as words',
  (type, sample) => {
    for (const path of sample.amounts ?? []) {
      const name = path.split('.').at(-1);
      for (const wrong of [1.005, '1.005', '1,50', 'much', '12 EUR'])
        expect(
          refusal(
            type,
            withValue(sample.payload, path, () => wrong),
          ),
          path,
        ).toMatch(new RegExp(`${name} is not an amount of EUR: (too_many_decimals|not_a_number)$`));
      expect(
        refusal(
          type,
          withValue(sample.payload, path, () => ({})),
        ),
        path,
      ).toContain('expected a text or a number');
    }
  },
);

test.each(hasAny('words'))('enums of %s may be prefixed and in any case', (type, sample) => {
  for (const path of sample.words ?? []) {
    const known = keepsAll(type)
      ? (payload: typeof sample.payload) => claims(type, payload).map(({ entry }) => entry?.content)
      : (payload: typeof sample.payload) => claims(type, payload);
    for (const written of [(w: unknown) => `SomeStatus.${w}`, (w: unknown) => `a.b.${w}`.toLowerCase()])
      expect(known(withValue(sample.payload, path, written))).toEqual(known(sample.payload));
  }
});

test.each(hasAny('aliases'))('fields of %s have other names', (type, { payload, aliases }) => {
  for (const [name, alias] of Object.entries(aliases ?? {})) {
    const { [name]: value, ...others } = payload;
    expect(value, name).toBeDefined();
    const [renamed] = [claims(type, { ...others, [alias]: value })];
    expect(
      renamed.map((claim) => ({ ...claim, entry: claim.entry?.content })),
      alias,
    ).toEqual(claims(type, payload).map((claim) => ({ ...claim, entry: claim.entry?.content })));
  }
});

const marker = 'MARKER-7Q';
test.each(hasAny('personal'))('nothing personal of %s is among its facts', (type, sample) => {
  for (const path of sample.personal ?? []) {
    const payload = withValue(sample.payload, path, () => marker);
    const one = read(type, payload, { agt: marker });
    expect(one.facts, path).not.toContain(marker);
    expect(writeWhole(one.event), path).toContain(marker);
    const { event: left, ...rest } = impersonal(one, rules);
    expect(JSON.stringify([rest, left]), path).not.toContain(marker);
  }
});

test('what nobody knows is never among the facts', () => {
  for (const [type, { payload }] of all)
    expect(read(type, { ...payload, brand_new: marker, nested: { a: marker } }).facts, type).not.toContain(
      marker,
    );
});

test('a link to the bank’s own key of a customer stays, since payments are found by it', () => {
  const one = read('customer.identity.linked.v1', {
    customer_id: 'C1',
    identifiers: [
      { type: 'CIF', value: 'K7' },
      { type: 'email', value: 'ada@example.org' },
    ],
  });
  expect(impersonal(one, rules).claims).toEqual([
    { kind: 'customer', id: 'C1', values: { 'also:cif:K7': true } },
  ]);
});

describe('values that are none', () => {
  test.each([
    ['account.updated.v1', { account_id: 'A1', status: 'DORMANT' }, 'status is none that is known'],
    ['account.status_changed.v1', { account_id: 'A1', new_status: 'X' }, 'status is none that is known'],
    [
      'account.closed.v1',
      { account_id: 'A1', closure_reason: 'SOLD' },
      /^closure_reason is none of PAID_OFF/,
    ],
    [
      'account.schedule.updated.v1',
      { account_id: 'A1', schedule_id: 'S1', payments: [{ payment_number: 1, status: 'LATE' }] },
      'the status of an instalment is none that is known',
    ],
    ['account.updated.v1', { account_id: 'A1', opened_date: '2026-02-30' }, 'opened_date is not a time'],
    ['account.updated.v1', { account_id: 'A1', currency: 'XXX' }, 'currency: expected an ISO 4217 code'],
    [
      'account.updated.v1',
      { account_id: 'A1', loan_amount: true },
      'loan_amount: expected a text or a number',
    ],
    ['account.updated.v1', { account_id: '' }, 'account_id: expected 1 to 200 visible characters'],
    [
      'account.updated.v1',
      { account_id: 'x'.repeat(201) },
      'account_id: expected 1 to 200 visible characters',
    ],
    ['account.updated.v1', { account_id: 'a\nb' }, 'account_id: expected 1 to 200 visible characters'],
    ['loan.aging.updated.v1', { account_id: 'A1', dpd: 1.5 }, 'dpd: expected a whole number'],
    ['loan.aging.updated.v1', { account_id: 'A1', dpd: 'many' }, 'dpd: expected a whole number'],
    [
      'account.schedule.updated.v1',
      { account_id: 'A1', schedule_id: 'S1', payments: [{ amount: 1 }] },
      'payments.0.payment_number: expected a text or a number',
    ],
    [
      'customer.identity.merged.v1',
      { customer_id: 'C1', merged_customer_id: 'C1' },
      'merged_customer_id names no other customer',
    ],
    [
      'customer.identity.merged.v1',
      { customer_id: 'C1', merged_customer_ids: Array.from({ length: 21 }, (_, n) => `M${n}`) },
      'merged_customer_ids: expected at most 20',
    ],
    ['customer.identity.linked.v1', { customer_id: 'C1' }, 'identifier_value is missing'],
    [
      'customer.updated.v1',
      { customer_id: 'C1', email_address: 'x'.repeat(201) },
      'email_address: expected at most 200 characters',
    ],
    [
      'customer.identity.linked.v1',
      { customer_id: 'C1', identifier_type: 'x'.repeat(101), identifier_value: '1' },
      'identifier_type: expected 1 to 100 visible characters',
    ],
    ['user_input', { text: 'hello' }, 'it names no conversation'],
  ])('%s with a value that is none is refused: %#', (type, payload, reason) => {
    expect(refusal(type, payload)).toMatch(reason);
  });

  test('a refusal never quotes what was sent', () => {
    for (const [type, { payload }] of all)
      for (const name of Object.keys(payload))
        for (const wrong of [marker.repeat(500), { [marker]: marker }, [marker]])
          expect(refusal(type, { ...payload, [name]: wrong }) ?? '', `${type} ${name}`).not.toContain(marker);
  });
});

test('an amount is of the currency it comes with, else of the business', () => {
  const balance = (payload: object) =>
    claims('account.updated.v1', { account_id: 'A1', ...payload })[0]?.values.currentBalance;
  expect(balance({ current_balance: 1.5 })).toBe('1.50 EUR');
  expect(balance({ current_balance: '-0.05', currency: 'usd' })).toBe('-0.05 USD');
  expect(balance({ current_balance: 1e3, currency: 'JPY' })).toBe('1000 JPY');
  expect(balance({ current_balance: '0' })).toBe('0.00 EUR');
});

test('a day is that of the business zone', () => {
  const due = (scheduled_date: string) =>
    claims('payment.scheduled.v1', { account_id: 'A1', payment_id: 'Y', scheduled_date })[0]?.values
      .scheduledOn;
  expect(due('2026-03-01')).toBe('2026-03-01');
  expect(due('2026-03-01T23:30:00Z')).toBe('2026-03-02');
  expect(due('2026-03-01T23:30:00')).toBe('2026-03-01');
});

test('an instalment that is listed twice is told by both lines', () => {
  const [claim] = claims('account.schedule.updated.v1', {
    account_id: 'A1',
    schedule_id: 'S1',
    payments: [
      { payment_number: 1, amount: 5 },
      { payment_number: '1', status: 'PAID' },
    ],
  });
  expect(claim?.values).toMatchObject({ 'instalment:1:amount': '5.00 EUR', 'instalment:1:status': 'paid' });
});

test('what is processed of an instalment is the payment that was scheduled of it, and has an id of its own else', () => {
  const idOf = (type: string, payload: object, id: string) =>
    read(type, { account_id: 'A1', ...payload }, { id }).aggregate;
  const instalment = { schedule_id: 'S1', payment_number: 2 };
  expect(idOf('payment.scheduled.v1', instalment, 'e1')).toBe(idOf('payment.processed.v1', instalment, 'e2'));
  expect(idOf('payment.processed.v1', {}, 'e1')).not.toBe(idOf('payment.processed.v1', {}, 'e2'));
});

describe('whose it is', () => {
  test.each([
    ['user_input', { customer_id: 'C1', conversation_id: 'V1' }, { usr: 'C2', conv: 'V2' }, 'customer:C1'],
    ['user_input', { conversation_id: 'V1' }, { usr: 'C2', conv: 'V2' }, 'customer:C2'],
    ['user_input', { conversation_id: 'V1' }, { conv: 'V2' }, 'conversation:V1'],
    ['user_input', {}, { conv: 'V2' }, 'conversation:V2'],
    ['loan.aging.updated.v1', { account_id: 'A1' }, {}, 'account:A1'],
    ['loan.aging.updated.v1', { account_id: 7 }, {}, 'account:7'],
    ['writeoff.requested.v1', { request_id: 'W1', loan_account_id: 'A1' }, {}, 'account:A1'],
    ['writeoff.approved.v1', { request_id: 'W1' }, {}, 'approval:W1'],
    [
      'customer.identity.merged.v1',
      { surviving_customer_id: 'C1', merged_customer_id: 'C2' },
      {},
      'customer:C1',
    ],
    ['card.issued.v9', { customer_id: 'C1' }, {}, 'customer:C1'],
    ['card.issued.v9', { customer_id: { odd: 1 } }, {}, 'unhandled:card.issued.v9'],
  ] as [string, Record<string, unknown>, Record<string, string>, string][])(
    '%s %j in %j is of %s',
    (type, payload, others, subject) => {
      expect(read(type, payload, others).subject).toBe(subject);
    },
  );
});

test('a type that nobody handles says nothing, and nothing of its payload is among its facts', () => {
  const one = read('card.issued.v9', { customer_id: 'C1', pan: marker }, { usr: 'C1' });
  expect(one).toMatchObject({
    handled: false,
    claims: [],
    related: [],
    aggregate: 'unhandled:card.issued.v9',
  });
  expect(one.facts).toBe('{"customerId":"C1","payload":{}}');
  expect(impersonal(one, rules)).toMatchObject({ handled: false, claims: [], subject: 'customer:C1' });
});

test('names of types that objects have by nature are types that nobody handles', () => {
  for (const type of ['constructor', '__proto__', 'toString'])
    expect(read(type, { a: 1 })).toMatchObject({ handled: false });
});

test('names of fields that objects have by nature are fields', () => {
  const fields = {
    event_type: 'identityRisk_assessment',
    id: 'e',
    conv: 'V1',
    payload: '{"outcome":"PASS","__proto__":{"outcome":"x"},"constructor":1}',
  };
  const envelope = readEnvelope(fields, 'UTC');
  const one = envelope.ok && readEvent(envelope.value, rules);
  expect(one).toMatchObject({ ok: true, value: { claims: [{ entry: { content: 'pass' } }] } });
});
