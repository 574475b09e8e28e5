import { createHash } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { isNumberSource } from '../../shared/exact-json.ts';
import { currencyExponent } from '../../shared/money.ts';
import { readEvent } from '../../shared/servicing/read-event.ts';
import { readEnvelope, type StreamEvent } from '../../shared/stream/envelope.ts';
import { displacedBy, repeatedWithin } from './disorder.ts';
import { type HistoryOptions, histories } from './histories.ts';
import type { Entry } from './senders.ts';

const some: HistoryOptions = {
  customers: 400,
  events: 40_000,
  seed: 7,
  from: '2025-01-01',
  to: '2026-11-01',
};

function eventOf(entry: Entry, timeZone = 'UTC'): StreamEvent {
  const read = readEnvelope(entry, timeZone);
  if (!read.ok) throw new Error(`${read.refusal}: ${JSON.stringify(entry)}`);
  return read.value;
}
const eventsOf = (options: HistoryOptions) =>
  [...histories(options)].map((entry) => eventOf(entry, options.timeZone));
/** Read once for all who only look. */
let ofSome: StreamEvent[] | undefined;
const eventsOfSome = () => {
  ofSome ??= eventsOf(some);
  return ofSome;
};

const digest = (options: HistoryOptions) => {
  const hash = createHash('sha256');
  for (const entry of histories(options)) hash.update(`${JSON.stringify(entry)}\n`);
  return hash.digest('hex');
};

/** In minor units; throws where the text has more decimals than the currency. */
function minorOf(value: unknown, currency = 'EUR'): bigint {
  const text = isNumberSource(value) ? value.rawJSON : String(value);
  const exponent = currencyExponent(currency)!;
  const [, whole = '', fraction = ''] = /^(\d+)(?:\.(\d+))?$/.exec(text) ?? [];
  if (whole === '' || fraction.length > exponent) throw new Error(`${text} is no amount of ${currency}`);
  return BigInt(whole + fraction.padEnd(exponent, '0'));
}
const plain = (value: unknown) => String(value).replace(/^.*\./, '');

test('the same arguments give the same bytes, and any other argument others', () => {
  const options = { ...some, customers: 50, events: 5_000, duplicates: 0.02, disorder: 0.05 };
  const first = digest(options);
  expect(digest(options)).toBe(first);
  for (const other of [{ seed: 8 }, { events: 5_001 }, { customers: 51 }, { duplicates: 0 }, { disorder: 0 }])
    expect(digest({ ...options, ...other })).not.toBe(first);
});

test('two seeds have no event and no customer in common', () => {
  const options = { ...some, customers: 50, events: 5_000 };
  const [one, other] = [eventsOf(options), eventsOf({ ...options, seed: 8 })];
  const ids = new Set(one.map(({ id }) => id));
  const customers = new Set(one.map(({ customerId }) => customerId));
  expect(customers.size).toBe(options.customers);
  expect(other.filter(({ id, customerId }) => ids.has(id) || customers.has(customerId))).toEqual([]);
});

describe.each<[string, Partial<HistoryOptions>]>([
  ['one event', { customers: 1, events: 1 }],
  ['an event for each customer', { customers: 90, events: 90 }],
  ['a few events for each', { customers: 300, events: 1_999 }],
  ['many events for each', { customers: 2, events: 20_011 }],
  ['a crowded day', { customers: 10, events: 20_000, from: '2026-03-01', to: '2026-03-01' }],
  ['a zone that changes its clock', { customers: 200, events: 20_000, timeZone: 'Australia/Sydney' }],
])('%s', (_, given) => {
  const options = { ...some, ...given };
  test('exactly so many different events, every one readable, in the order of their times, within the days', () => {
    const events = eventsOf(options);
    expect(events).toHaveLength(options.events);
    expect(new Set(events.map(({ id }) => id)).size).toBe(options.events);
    expect(new Set(events.map(({ customerId }) => customerId)).size).toBe(options.customers);
    const times = events.flatMap(({ time }) => time ?? []);
    expect(times.length).toBeGreaterThan(events.length * 0.95);
    expect(times).toEqual(times.toSorted());
    expect(times[0]! >= options.from).toBe(true);
    expect(times.at(-1)! < `${options.to}U`).toBe(true);
  });
});

test.each([
  [{ events: 399 }, 'there must be an event for each customer'],
  [{ customers: 0 }, 'there must be a customer'],
  [{ from: '2026-11-02' }, 'the first day must be a date, and the last one not before it'],
  [{ to: 'soon' }, 'the first day must be a date, and the last one not before it'],
  [{ currency: 'XXX' }, 'XXX is no currency'],
  [{ seed: 0.5 }, 'a seed is a whole number'],
  [{ from: '2026-11-01', customers: 1 }, 'in that time there may be at most 4319 events for each customer'],
])('%j is refused', (other, reason) => {
  expect(() => histories({ ...some, ...other })).toThrow(reason);
});

test.each(['EUR', 'JPY', 'KWD'])(
  'in %s, schedules add up to what is payable and balances to what is not yet paid, nothing when paid off',
  (currency) => {
    const accounts = new Map<string, { payable: bigint; paid: bigint; told: bigint; scheduled: boolean }>();
    let [updated, paidOff, partial] = [0, 0, 0];
    for (const { type, payload } of currency === 'EUR' ? eventsOfSome() : eventsOf({ ...some, currency })) {
      const amount = (name: string) => minorOf(payload[name], currency);
      const account = accounts.get(String(payload.account_id));
      if (type === 'account.created.v1') {
        expect(payload.currency).toBe(currency);
        expect(amount('loan_amount') + amount('loan_fee')).toBe(amount('loan_total_payable'));
        const payable = amount('loan_total_payable');
        const told = amount('current_balance');
        accounts.set(String(payload.account_id), { payable, paid: 0n, told, scheduled: false });
      } else if (type === 'account.schedule.created.v1') {
        const parts = (payload.payments as Array<{ amount: unknown }>).map((p) =>
          minorOf(p.amount, currency),
        );
        expect(parts.reduce((sum, part) => sum + part, 0n)).toBe(account!.payable);
        expect(amount('total_amount')).toBe(account!.payable);
        expect(parts.every((part) => part > 0n)).toBe(true);
        account!.scheduled = true;
      } else if (type === 'payment.processed.v1') {
        expect(account!.scheduled).toBe(true);
        account!.paid += amount('amount');
      } else if (type === 'account.updated.v1') {
        updated++;
        account!.told = amount('current_balance');
        expect(account!.told).toBe(account!.payable - account!.paid);
        expect(account!.told >= 0n).toBe(true);
      } else if (type === 'account.schedule.updated.v1')
        partial += plain((payload.payments as Array<{ status: unknown }>)[0]!.status) === 'PARTIAL' ? 1 : 0;
      else if (type === 'account.closed.v1' && plain(payload.closure_reason) === 'PAID_OFF') {
        paidOff++;
        expect(account!.told).toBe(0n);
      }
    }
    expect(updated).toBeGreaterThan(2_000);
    expect(paidOff).toBeGreaterThan(100);
    expect(partial).toBeGreaterThan(5);
  },
);

test('after its end nothing is paid on a loan', () => {
  const closed = new Set<unknown>();
  for (const { type, payload } of eventsOfSome()) {
    if (type === 'account.closed.v1') closed.add(payload.account_id);
    else if (/^(account|payment|loan|collection)\./.test(type))
      expect(closed.has(payload.account_id), `${type} on ${payload.account_id}`).toBe(false);
  }
  expect(closed.size).toBeGreaterThan(100);
});

const types = `
  account.created.v1 account.updated.v1 account.status_changed.v1 account.closed.v1 account.schedule.created.v1
  account.schedule.updated.v1 loan.aging.updated.v1 payment.scheduled.v1 payment.processed.v1 customer.created.v1
  customer.changed.v1 customer.updated.v1 customer.verified.v1 customer.identity.linked.v1 customer.identity.merged.v1
  application.submitted.v1 application.status_changed.v1 conversation_started user_input assistant_response
  conversation_summary applicationDetail_changed final_decision final_credit_decision identityRisk_assessment
  serviceability_assessment credit_assessment_serviceability_result credit_assessment_bureau_result fraud_assessment
  noticeboard_post writeoff.requested.v1 writeoff.approved.v1 writeoff.rejected.v1 writeoff.cancelled.v1
  notification.sent.v1 notification.delivery_failed.v1 statement.generated.v1 collection.case.opened.v1
  collection.case.cured.v1 collection.case.exhausted.v1 collection.case.hardship_paused.v1 collection.case.resumed.v1
  collection.case.stop_contact_applied.v1 collection.case.step_advanced.v1`
  .trim()
  .split(/\s+/);

test('everything happens: every type, every way for a loan to end, merges of the merged, two borrowers', () => {
  const events = eventsOfSome();
  expect([...new Set(events.map(({ type }) => type))].toSorted()).toEqual(types.toSorted());
  const reasons = events
    .filter(({ type }) => type === 'account.closed.v1')
    .map((e) => plain(e.payload.closure_reason));
  expect([...new Set(reasons)].toSorted()).toEqual(['ADMIN_CLOSED', 'PAID_OFF', 'WRITTEN_OFF']);
  expect(events.some(({ payload }) => (payload.borrowers as unknown[])?.length === 2)).toBe(true);

  const merges = events.filter(({ type }) => type === 'customer.identity.merged.v1');
  const mergedInto = new Map(
    merges.map(({ payload }) => [
      payload.merged_customer_id ?? (payload.merged_customer_ids as unknown[])[0],
      payload.surviving_customer_id ?? payload.customer_id,
    ]),
  );
  expect(mergedInto.size).toBe(10);
  expect([...mergedInto.values()].filter((into) => mergedInto.has(into))).toHaveLength(2);
  const created = new Set(
    events.filter(({ type }) => type === 'customer.created.v1').map(({ payload }) => payload.customer_id),
  );
  for (const pair of mergedInto) expect(pair.filter((id) => !created.has(id))).toEqual([]);
});

test('senders differ: spellings, ids, times, amounts, enums', () => {
  const entries = [...histories(some)];
  const having = (test: (entry: Entry) => unknown) => entries.filter(test).length / entries.length;
  const payloads = entries.map((entry) => (entry.payload ?? entry.dat)!);
  const writing = (pattern: RegExp) => payloads.filter((text) => pattern.test(text)).length / payloads.length;
  const timed = (pattern: RegExp) => having((e) => e.timestamp && pattern.test(e.timestamp));
  for (const share of [
    having((e) => e.typ),
    having((e) => e.event_type),
    having((e) => e.msg_type),
    having((e) => e.payload),
    having((e) => e.dat),
    having((e) => e.id),
    having((e) => e.event_id),
    having((e) => !e.id && !e.event_id),
    having((e) => (e.seq ?? e.sequence ?? e.c_seq) === '1'),
    having((e) => (e.seq ?? e.sequence ?? e.c_seq) !== '1'),
    timed(/Z$/),
    timed(/\+10:00$/),
    timed(/T[\d:.]+$/),
    writing(/"(amount|current_balance)":"\d/),
    writing(/"(amount|current_balance)":\d/),
    writing(/"[A-Z]\w+\.[A-Z_]+"/),
  ])
    expect(share).toBeGreaterThan(0.01);
});

test('the fold reads every one of them', () => {
  const business = { timeZone: 'UTC', currency: 'EUR' };
  const refused = eventsOfSome().flatMap((event) => {
    const read = readEvent(event, business);
    if (!read.ok) return [`${event.type}: ${read.refusal}`];
    return read.value.handled ? [] : [`${event.type}: nobody handles it`];
  });
  expect(refused).toEqual([]);
});

describe('on their way', () => {
  const few = { ...some, customers: 100, events: 10_000 };
  const order = new Map(eventsOf(few).map(({ id }, place) => [id, place]));
  /** Places in the undisturbed order, as they come. */
  const coming = (options: Partial<HistoryOptions>) =>
    eventsOf({ ...few, ...options }).map(({ id }) => order.get(id)!);

  test('events are in order and come once, unless asked for', () => {
    expect(coming({ duplicates: 0, disorder: 0 })).toEqual([...order.values()]);
  });

  test('a share of them comes twice, the second time a while after the first', () => {
    const places = coming({ duplicates: 0.1 });
    const repeated = places.length - few.events;
    expect(repeated / few.events).toBeCloseTo(0.1, 1);
    const first = new Map<number, number>();
    const gaps = places.flatMap((place, at) => {
      const before = first.get(place);
      if (before === undefined) first.set(place, at);
      return before === undefined ? [] : [at - before];
    });
    expect(first.size).toBe(few.events);
    expect([...first.keys()]).toEqual([...order.values()]);
    expect(Math.min(...gaps)).toBeGreaterThan(0);
    // Others' repetitions come in between.
    expect(Math.max(...gaps)).toBeLessThan(repeatedWithin * 1.5);
  });

  test('a share of them comes late, by a limited number of places, and none is lost', () => {
    const places = coming({ disorder: 0.1 });
    expect(places.toSorted((a, b) => a - b)).toEqual([...order.values()]);
    let newest = -1;
    let late = 0;
    for (const place of places) {
      if (place < newest) late++;
      expect(newest - place).toBeLessThanOrEqual(displacedBy);
      newest = Math.max(newest, place);
    }
    expect(late / few.events).toBeGreaterThan(0.09);
    expect(late / few.events).toBeLessThan(0.11);
  });
});

test('what is in memory does not grow with what was told', () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage: () => void = runInNewContext('gc');
  const inMemory = () => {
    collectGarbage();
    return process.memoryUsage().heapUsed;
  };
  const options = { ...some, customers: 200, events: 10_000_000, duplicates: 0.02, disorder: 0.05 };
  let told = 0;
  let bytes = 0;
  let before = 0;
  for (const entry of histories(options)) {
    told++;
    bytes += JSON.stringify(entry).length;
    if (told === 20_000) before = inMemory();
    if (told === 200_000) break;
  }
  expect(told).toBe(200_000);
  expect(inMemory() - before).toBeLessThan(bytes / 10);
});
