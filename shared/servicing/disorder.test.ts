import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { StreamEvent } from '../stream/envelope.ts';
import type { AggregateKey, AggregateKind } from './event-type.ts';
import { foldInMemory, picture } from './projections/testing.ts';
import { projections } from './projections.ts';
import { emptyState, type State } from './registers.ts';
import { event, incoming, rules } from './testing.ts';

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((item, n) => permutations(items.toSpliced(n, 1)).map((others) => [item, ...others]));
}

/** The states after these events, having seen that their order, a repetition and their batches make no difference. */
function folded(...events: StreamEvent[]): (key: AggregateKey) => State {
  const batch = events.map((one) => incoming(one));
  const expected = picture([batch]);
  const orders =
    batch.length <= 5
      ? permutations(batch)
      : fc.sample(fc.shuffledSubarray(batch, { minLength: batch.length }), 50);
  for (const order of orders) {
    expect(picture(order.map((one) => [one]))).toEqual(expected);
    expect(picture([order, order.slice(0, 2)])).toEqual(expected);
  }
  const states = foldInMemory([batch]);
  return (key) => states.get(key) ?? emptyState;
}

const projectionOf = (key: AggregateKey) => projections[key.slice(0, key.indexOf(':')) as AggregateKind];
const row = (key: AggregateKey, ...events: StreamEvent[]) =>
  projectionOf(key).row(folded(...events)(key), rules);
const listed = (key: AggregateKey, ...events: StreamEvent[]) =>
  projectionOf(key).lists[0]?.rows(folded(...events)(key));

/** The nth day. */
const on = (n: number) => `2026-01-${String(n).padStart(2, '0')}T00:00:00Z`;
const microseconds = (n: number) => on(n).replace('Z', '.000000Z');

describe('an account', () => {
  const account = (...events: StreamEvent[]) => row('account:A1', ...events);
  const created = (more: object = {}, at: string | undefined = on(1), id = 'e-made') =>
    event(
      'account.created.v1',
      {
        account_id: 'A1',
        customer_id: 'C1',
        status: 'ACTIVE',
        loan_amount: 1000,
        current_balance: 1000,
        ...more,
      },
      { id, at },
    );
  const updated = (more: object, n: number | undefined) =>
    event('account.updated.v1', { account_id: 'A1', ...more }, { at: n === undefined ? n : on(n) });
  const changed = (new_status: string, n: number | undefined) =>
    event('account.status_changed.v1', { account_id: 'A1', new_status }, { at: n === undefined ? n : on(n) });
  const closed = (more: object, n: number | undefined) =>
    event('account.closed.v1', { account_id: 'A1', ...more }, { at: n === undefined ? n : on(n) });

  test.each([
    ['under another id at the same time', on(1)],
    ['under another id at a later time', on(20)],
    ['under another id without a time', undefined],
  ])('does not change when its creation is replayed %s', (_way, at) => {
    const events = [
      created(),
      updated({ current_balance: 400 }, 5),
      closed({ closure_reason: 'PAID_OFF' }, 9),
    ];
    const before = account(...events);
    expect(before).toMatchObject({ current_balance: '400.00', status: 'paid_off' });
    for (const id of ['a-again', 'z-again']) {
      const replayed = event('account.created.v1', created().payload, { id, at });
      expect(account(...events, replayed)).toEqual(before);
    }
  });

  test('is changed by nothing that is older than what is known', () => {
    expect(
      account(created(), updated({ current_balance: 300 }, 3), updated({ current_balance: 200 }, 2)),
    ).toMatchObject({ current_balance: '300.00', loan_amount: '1000.00' });
  });

  test('takes a snapshot field by field', () => {
    expect(
      account(
        updated({ current_balance: 300, last_payment_amount: 10 }, 3),
        updated({ current_balance: 200, last_payment_date: on(2) }, 2),
        updated({ status: 'SUSPENDED', current_balance: null }, 4),
      ),
    ).toMatchObject({
      current_balance: '300.00',
      last_payment_amount: '10.00',
      last_payment_at: microseconds(2),
      status: 'in_arrears',
    });
  });

  test('comes into being incomplete by an update, and its creation fills only what is older', () => {
    const update = updated({ current_balance: 300 }, 3);
    expect(account(update)).toMatchObject({ current_balance: '300.00', loan_amount: null, status: null });
    expect(account(update, created())).toMatchObject({ current_balance: '300.00', loan_amount: '1000.00' });
    expect(account(update, created({}, on(4)))).toMatchObject({ current_balance: '1000.00' });
  });

  test('once closed is not opened by an old snapshot, nor by a newer one', () => {
    for (const n of [undefined, 2, 9, 20])
      expect(
        account(created(), closed({ closure_reason: 'WRITTEN_OFF' }, 9), updated({ status: 'ACTIVE' }, n)),
      ).toMatchObject({ status: 'written_off', closure_reason: 'written_off', closed_at: microseconds(9) });
  });

  test('once closed is not opened by a change of its status before that, nor by one without a time', () => {
    for (const n of [undefined, 2, 8])
      expect(account(created(), closed({}, 9), changed('ACTIVE', n))).toMatchObject({ status: 'paid_off' });
  });

  test('is opened by a change of its status after that', () => {
    expect(
      account(created(), closed({ closure_reason: 'ADMIN_CLOSED' }, 9), changed('SUSPENDED', 10)),
    ).toMatchObject({
      status: 'in_arrears',
      closed_at: null,
      closure_reason: null,
    });
  });

  test('that was opened again goes on with what snapshots say after that', () => {
    const events = [closed({}, 9), changed('SUSPENDED', 10)];
    expect(account(...events, updated({ status: 'ACTIVE' }, 9))).toMatchObject({ status: 'in_arrears' });
    expect(account(...events, updated({ status: 'ACTIVE' }, 11))).toMatchObject({ status: 'active' });
  });

  test('that is closed again without a reason is not explained by the reason of before', () => {
    const events = [
      closed({ closure_reason: 'WRITTEN_OFF', closed_at: on(8) }, 9),
      changed('ACTIVE', 10),
      changed('CLOSED', 11),
    ];
    expect(account(...events)).toMatchObject({
      status: 'paid_off',
      closure_reason: null,
      closed_at: microseconds(11),
    });
  });

  test('keeps its reason when it is said to be closed once more', () => {
    const events = [
      closed({ closure_reason: 'WRITTEN_OFF', closed_at: on(8) }, 9),
      updated({ status: 'CLOSED' }, 12),
    ];
    expect(account(...events)).toMatchObject({ status: 'written_off', closed_at: microseconds(8) });
  });

  test('that a snapshot calls closed is paid off until a reason is known', () => {
    expect(account(updated({ status: 'CLOSED' }, 5))).toMatchObject({
      status: 'paid_off',
      closure_reason: null,
    });
    expect(
      account(updated({ status: 'CLOSED' }, 5), closed({ closure_reason: 'ADMIN_CLOSED' }, 4)),
    ).toMatchObject({ status: 'closed', closure_reason: 'admin_closed' });
  });

  test('that was created closed is closed', () => {
    expect(account(created({ status: 'CLOSED' }), updated({ status: 'ACTIVE' }, 5))).toMatchObject({
      status: 'paid_off',
    });
  });

  test('that ages after it was closed stays closed', () => {
    const aging = event(
      'loan.aging.updated.v1',
      { account_id: 'A1', dpd: 40, bucket: '31-60' },
      { at: on(12) },
    );
    expect(account(created(), closed({ closure_reason: 'WRITTEN_OFF' }, 9), aging)).toMatchObject({
      status: 'written_off',
      days_past_due: 40,
      aging_bucket: '31-60',
    });
  });

  test('that two senders tell of is what each of them said last of it', () => {
    const other = (more: object, n: number) =>
      event('account.updated.v1', { account_id: 'A1', ...more }, { at: on(n), agt: 'other' });
    expect(
      account(
        updated({ current_balance: 500, status: 'ACTIVE' }, 2),
        other({ current_balance: 450 }, 3),
        updated({ current_balance: 400 }, 4),
        other({ status: 'SUSPENDED' }, 5),
        updated({ last_payment_amount: 50 }, 6),
      ),
    ).toMatchObject({ current_balance: '400.00', status: 'in_arrears', last_payment_amount: '50.00' });
  });

  test.each([
    ['PENDING', 'active'],
    ['ACTIVE', 'active'],
    ['SUSPENDED', 'in_arrears'],
    ['PENDING_DISBURSEMENT', 'pending_disbursement'],
    ['CLOSED', 'paid_off'],
  ])('that is %s is %s, said by a snapshot or by a change', (said, status) => {
    expect(account(updated({ status: said }, 2))).toMatchObject({ status });
    expect(account(changed(said, 2))).toMatchObject({ status });
  });

  test('of which all is told without any time is what the highest id said, by whatever way', () => {
    const untimed = (id: string, current_balance: number) =>
      event('account.updated.v1', { account_id: 'A1', current_balance }, { id });
    expect(account(untimed('b', 2), untimed('c', 3), untimed('a', 1))).toMatchObject({
      current_balance: '3.00',
    });
  });

  test('has all the borrowers that anybody named', () => {
    const borrowers = (...ids: string[]) => ({
      borrowers: ids.map((customer_id) => ({ customer_id, role: `role of ${customer_id}` })),
    });
    expect(
      listed(
        'account:A1',
        created(borrowers('C2')),
        updated(borrowers('C3', 'C1'), 4),
        updated({ customer_id: 'C1' }, 2),
      ),
    ).toEqual([
      { customer_id: 'C1', role: 'borrower' },
      { customer_id: 'C2', role: 'role of C2' },
      { customer_id: 'C3', role: 'role of C3' },
    ]);
  });

  test('shows no number of another currency than its own', () => {
    expect(account(created(), updated({ current_balance: 300, currency: 'USD' }, 3))).toMatchObject({
      currency: 'EUR',
      loan_amount: '1000.00',
      current_balance: null,
    });
  });
});

test('a balance has one source: account events, or the ledger in the order of its own versions', () => {
  const balance = (version: number, total_outstanding: string, n: number) =>
    event('ledger.balance.changed.v1', { account_id: 'A1', version, total_outstanding }, { at: on(n) });
  const state = folded(
    event('account.updated.v1', { account_id: 'A1', current_balance: '70.00' }, { at: on(9) }),
    // The ledger's clock went back; nine comes before ten all the same.
    balance(10, '40.00', 1),
    balance(9, '50.00', 2),
  )('account:A1');
  const shown = (balances: 'events' | 'ledger') =>
    projections.account.row(state, { ...rules, balances }).current_balance;
  expect([shown('events'), shown('ledger')]).toEqual(['70.00', '40.00']);
});

describe('a schedule', () => {
  const schedule = (type: 'created' | 'updated', more: object, n: number, schedule_id = 'S1') =>
    event(`account.schedule.${type}.v1`, { account_id: 'A1', schedule_id, ...more }, { at: on(n) });
  const lines = (...numbers: number[]) => ({
    payments: numbers.map((n) => ({ payment_number: n, due_date: `2026-0${n + 1}-01`, amount: 100 + n })),
  });
  const whole = schedule('created', { n_payments: 3, ...lines(1, 2, 3) }, 1);
  const paid = schedule(
    'updated',
    { payments: [{ payment_number: 2, status: 'PAID', paid_amount: 102 }] },
    5,
  );

  test('takes what an update says of an instalment, whether it comes before or after the schedule', () => {
    expect(listed('schedule:S1', paid)).toEqual([
      { payment_number: 2, due_on: null, amount: null, status: 'paid', paid_amount: '102.00' },
    ]);
    expect(listed('schedule:S1', whole, paid)).toEqual([
      { payment_number: 1, due_on: '2026-02-01', amount: '101.00', status: null, paid_amount: null },
      { payment_number: 2, due_on: '2026-03-01', amount: '102.00', status: 'paid', paid_amount: '102.00' },
      { payment_number: 3, due_on: '2026-04-01', amount: '103.00', status: null, paid_amount: null },
    ]);
  });

  test('that is shortened has no more instalments than it says', () => {
    const numbers = (...events: StreamEvent[]) =>
      listed('schedule:S1', ...events)?.map(({ payment_number }) => payment_number);
    const shortened = schedule('updated', { n_payments: 1 }, 6);
    expect(numbers(whole, paid, shortened)).toEqual([1]);
    expect(numbers(whole, paid, shortened, schedule('updated', { n_payments: 2 }, 7))).toEqual([1, 2]);
  });

  test('that was made later holds, whatever is told of an earlier one after that', () => {
    const next = schedule('created', lines(1), 3, 'S2');
    const state = folded(whole, next, paid);
    const version = (key: AggregateKey) => projectionOf(key).row(state(key), rules).version as string;
    expect(version('schedule:S2') > version('schedule:S1')).toBe(true);
  });
});

describe('an approval', () => {
  const requested = event(
    'writeoff.requested.v1',
    { request_id: 'W1', account_id: 'A1', amount: '10.00', requested_by: 'joe', reason: 'gone' },
    { at: on(1) },
  );
  const decided = (decision: string, more: object, n: number) =>
    event(`writeoff.${decision}.v1`, { request_id: 'W1', ...more }, { at: on(n) });

  test('that comes before its request is not asked for again', () => {
    expect(row('approval:W1', requested)).toMatchObject({ status: 'requested', decided_by: null });
    expect(row('approval:W1', decided('approved', { approved_by: 'mary' }, 2), requested)).toMatchObject({
      status: 'approved',
      requested_by: 'joe',
      decided_by: 'mary',
      decided_at: microseconds(2),
      amount: '10.00',
    });
  });

  test('of another kind has its kind, and what became of it counts whenever it is told', () => {
    const step = (name: string, n: number, more: object = {}) =>
      event(
        `approval.${name}.v1`,
        { request_id: 'W1', kind: 'fee_waiver', account_id: 'A1', amount: '10.00', currency: 'EUR', ...more },
        { at: on(n) },
      );
    const asked = step('requested', 1, { requested_by: 'joe' });
    const approved = step('approved', 2, { approved_by: 'mary' });
    expect(row('approval:W1', asked)).toMatchObject({
      kind: 'fee_waiver',
      status: 'requested',
      amount: '10.00',
    });
    expect(row('approval:W1', step('failed', 3), approved, asked)).toMatchObject({
      status: 'failed',
      decided_by: 'mary',
      requested_by: 'joe',
    });
    expect(row('approval:W1', asked, step('expired', 4))).toMatchObject({
      status: 'expired',
      decided_by: null,
      decided_at: microseconds(4),
    });
  });

  test('of a write-off is of one kind, whichever event tells of it', () => {
    const executed = event('approval.executed.v1', { request_id: 'W1', kind: 'write_off' }, { at: on(3) });
    expect(row('approval:W1', requested, executed)).toMatchObject({ kind: 'writeoff', status: 'executed' });
    expect(row('approval:W1', executed, requested)).toMatchObject({ kind: 'writeoff', status: 'executed' });
    const unnamed = event('approval.executed.v1', { request_id: 'W1' }, { at: on(3) });
    expect(row('approval:W1', unnamed)).toMatchObject({ kind: null, status: 'executed' });
  });

  test('has the decider and the note of the last decision alone', () => {
    expect(
      row(
        'approval:W1',
        requested,
        decided('rejected', { rejected_by: 'mary', reason: 'too early' }, 2),
        decided('approved', {}, 3),
      ),
    ).toMatchObject({
      status: 'approved',
      decided_by: null,
      decision_note: null,
      decided_at: microseconds(3),
    });
  });
});

describe('an application', () => {
  const submitted = event(
    'application.submitted.v1',
    { application_number: 'P1', customer_id: 'C1', loan_amount: 500 },
    { at: on(1) },
  );
  const approved = event(
    'application.status_changed.v1',
    { application_number: 'P1', new_status: 'APPROVED' },
    { at: on(3) },
  );
  const decision = event(
    'final_decision',
    { application_number: 'P1', decision: 'APPROVED' },
    { at: on(2), conv: 'V1' },
  );

  test('that was decided before it was submitted stays decided', () => {
    expect(row('application:P1', decision)).toMatchObject({ status: 'decided', decision: 'approved' });
    expect(row('application:P1', decision, approved, submitted)).toMatchObject({
      status: 'approved',
      decision: 'approved',
      decided_at: microseconds(2),
      submitted_at: microseconds(1),
      customer_id: 'C1',
      conversation_id: 'V1',
      loan_amount: '500.00',
    });
  });

  test('is not decided again by a decision that says nothing', () => {
    const nothing = event('final_decision', { application_number: 'P1' }, { at: on(9), conv: 'V1' });
    expect(row('application:P1', decision, nothing)).toMatchObject({ decided_at: microseconds(2) });
    expect(row('conversation:V1', nothing)).toMatchObject({ status: 'open', decided_at: null });
  });
});

describe('a payment of our own log', () => {
  const payment = { id: 'R1', loan_account_number: 'N1', cif: 'K1', amount: 100, currency: 'EUR' };
  const recorded = event('payment.recorded', { payment: { ...payment, payment_date: on(1) } }, { at: on(1) });
  const reversed = (total: string, n: number) =>
    event(
      'payment.reversed',
      { payment, reversal: { reversed_total: total, currency: 'EUR' } },
      { at: on(n) },
    );

  test('may be taken back before it was recorded', () => {
    expect(row('received_payment:R1', reversed('20.50', 2), recorded)).toMatchObject({
      amount: '100.00',
      reversed: '20.50',
      loan_account_number: 'N1',
      paid_at: microseconds(1),
    });
    expect(row('received_payment:R1', reversed('20.50', 2))).toMatchObject({
      amount: '100.00',
      paid_at: null,
    });
  });

  test('is taken back as far as the largest total says, whatever the times', () => {
    for (const times of [
      [2, 3],
      [3, 2],
      [2, 2],
    ] as const)
      expect(
        row('received_payment:R1', recorded, reversed('9.00', times[0]), reversed('20.50', times[1])),
      ).toMatchObject({ reversed: '20.50' });
  });
});

describe('a payment of a loan', () => {
  const tell = (type: 'scheduled' | 'processed', more: object, n: number) =>
    event(
      `payment.${type}.v1`,
      { account_id: 'A1', schedule_id: 'S1', payment_number: 1, ...more },
      { at: on(n) },
    );

  test('that was processed is never only scheduled again', () => {
    expect(
      row(
        'account_payment:S1#1',
        tell('processed', { amount: 99, status: 'FAILED' }, 2),
        tell('scheduled', { amount: 100 }, 3),
      ),
    ).toMatchObject({ status: 'failed', amount: '99.00', processed_at: microseconds(2) });
  });
});

describe('a customer', () => {
  const tell = (type: string, payload: object, n: number) =>
    event(`customer.${type}.v1`, { customer_id: 'C1', ...payload }, { at: on(n) });

  test('is what was said last of each of their fields', () => {
    expect(
      row(
        'customer:C1',
        tell('changed', { last_name: 'King', email_address: '' }, 3),
        tell('created', { first_name: 'Ada', last_name: 'Byron', email_address: 'a@b.c' }, 1),
        tell('updated', { last_name: 'Lovelace', mobile_phone_number: '+49 (170) 1' }, 2),
        tell('verified', {}, 4),
      ),
    ).toMatchObject({
      full_name: 'Ada King',
      email_address: 'a@b.c',
      phone_digits: '491701',
      verified: true,
      verified_at: microseconds(4),
    });
  });

  test('has each name once, with the version of who said it last', () => {
    const state = folded(
      tell('created', { cif: 'K1' }, 1),
      tell('identity.linked', { identifier_type: 'CIF', identifier_value: 'K1' }, 5),
      tell('identity.linked', { identifier_type: 'customer_id', identifier_value: 'C1' }, 6),
      tell('identity.linked', { identifier_type: 'account_id', identifier_value: 'A1' }, 6),
      tell('identity.linked', { identifiers: [{ type: 'Passport', value: 'X:1' }] }, 7),
    )('customer:C1');
    const names = projections.customer.identifiers('C1', state);
    expect(names.map(({ kind, value, version }) => [kind, value, version.slice(0, 10)])).toEqual([
      ['customer_id', 'C1', ''],
      ['cif', 'K1', '2026-01-05'],
      ['passport', 'X:1', '2026-01-07'],
    ]);
  });

  test('that was merged twice is who they were said to be last', () => {
    const merge = (into: string, n: number) =>
      event(
        'customer.identity.merged.v1',
        { surviving_customer_id: into, merged_customer_id: 'C1' },
        { at: on(n) },
      );
    expect(row('customer:C1', merge('C2', 3), merge('C3', 2))).toMatchObject({ merged_into: 'C2' });
  });

  test('that survives a merge is known from it, though nobody has told of them', () => {
    const merge = event('customer.identity.merged.v1', {
      customer_id: 'C9',
      merged_customer_ids: ['C1', 'C2'],
    });
    expect(foldInMemory([[incoming(merge)]])).toEqual(
      new Map([
        ['customer:C9', emptyState],
        ...['C1', 'C2'].map((id) => [`customer:${id}`, folded(merge)(`customer:${id}`)] as const),
      ]),
    );
  });
});

describe('a notice', () => {
  const tell = (type: string, more: object, n: number) =>
    event(`notification.${type}.v1`, { notification_id: 'T1', ...more }, { at: on(n) });

  test('that failed is told to have failed, though it was sent', () => {
    expect(
      row(
        'notification:T1',
        tell('delivery_failed', { error_type: 'bounced' }, 3),
        tell('sent', { channel: 'EMAIL', template: 'r1' }, 2),
        tell('delivery_failed', { error_message: 'mailbox full' }, 1),
      ),
    ).toMatchObject({ status: 'failed', failure: 'bounced', channel: 'email', failed_at: microseconds(3) });
  });
});

describe('a collection case', () => {
  const tell = (step: string, n: number | undefined, more: object = {}) =>
    event(`collection.case.${step}.v1`, { account_id: 'A1', ...more }, { at: n === undefined ? n : on(n) });
  const collected = (...events: StreamEvent[]) => row('case:A1', ...events);

  test.each([
    ['open', [tell('opened', 1)], null],
    ['open', [tell('step_advanced', 1, { step: 2 })], null],
    ['paused', [tell('opened', 1), tell('hardship_paused', 2)], null],
    ['open', [tell('opened', 1), tell('hardship_paused', 2), tell('resumed', 3)], null],
    ['cured', [tell('opened', 1), tell('hardship_paused', 2), tell('cured', 3)], microseconds(3)],
    ['exhausted', [tell('cured', 2), tell('exhausted', 3), tell('resumed', 4)], microseconds(3)],
    ['open', [tell('opened', 1), tell('hardship_paused', 2), tell('cured', 3), tell('opened', 4)], null],
    ['paused', [tell('cured', 3), tell('opened', 4), tell('hardship_paused', 5)], null],
    ['cured', [tell('opened', undefined), tell('cured', 1)], microseconds(1)],
  ])('is %s', (status, events, closed_at) => {
    expect(collected(...events)).toMatchObject({ status, closed_at });
  });

  test('keeps that nobody may be contacted, and the step it has come to', () => {
    expect(
      collected(
        tell('stop_contact_applied', 2),
        tell('step_advanced', 4, { step: 3 }),
        tell('step_advanced', 3, { rung: 2 }),
        tell('opened', 1, { reason: 'late' }),
      ),
    ).toMatchObject({ stop_contact: true, step: 3, reason: 'late', opened_at: microseconds(1) });
  });
});

describe('a conversation', () => {
  const tell = (type: string, payload: Record<string, unknown>, at?: string) =>
    event(type, payload, { conv: 'V1', at });

  test('that is told of before it started is one conversation', () => {
    expect(
      row(
        'conversation:V1',
        tell('user_input', { text: 'hello' }, on(3)),
        tell('conversation_summary', { summary: 'said hello' }, on(4)),
        tell('conversation_started', { channel: 'web', customer_id: 'C1' }, on(1)),
        tell('user_input', { text: 'earlier' }, on(2)),
        tell('user_input', { text: 'at some time' }),
      ),
    ).toMatchObject({
      status: 'open',
      started_at: microseconds(1),
      last_message_at: microseconds(3),
      summary: 'said hello',
      customer_id: 'C1',
    });
  });
});
