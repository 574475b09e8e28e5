// Random events about a few aggregates of every kind, made to collide: equal times, no times, other statuses, partial
// snapshots, creations that are replayed. And what folding them ends in, to be compared.

import fc from 'fast-check';
import type { Database } from '../../database.ts';
import type { StreamEvent } from '../../stream/envelope.ts';
import type { AggregateKey, AggregateKind } from '../event-type.ts';
import { entriesOf, foldAll, type Incoming } from '../fold-batch.ts';
import { projections } from '../projections.ts';
import type { State } from '../registers.ts';
import { event, rules } from '../testing.ts';

const oneOf = <T>(...values: T[]) => fc.constantFrom(...values);
const account_id = oneOf('A1', 'A2');
const customer_id = oneOf('C1', 'C2', 'C3');
const application_number = oneOf('P1', 'P2');
const schedule_id = oneOf('S1', 'S2');
const day = oneOf('2026-02-01', '2026-03-01T12:00:00', '2026-04-01T23:30:00Z');
const amount = oneOf<unknown>('0', 10.5, '99.90', '-5.00', 1000);
const note = oneOf('one', 'two', 'three');

/** All of `always`, and some of the others. */
const some = (always: Record<string, fc.Arbitrary<unknown>>, others: Record<string, fc.Arbitrary<unknown>>) =>
  fc.record({ ...always, ...others }, { requiredKeys: Object.keys(always) });

const account = some(
  { account_id },
  {
    customer_id,
    account_number: oneOf('N1', 'N2'),
    borrowers: fc.array(some({ customer_id }, { role: note }), { maxLength: 2 }),
    status: oneOf('PENDING', 'ACTIVE', 'AccountStatus.SUSPENDED', 'CLOSED'),
    loan_amount: amount,
    current_balance: amount,
    loan_fee: amount,
    currency: oneOf('EUR', 'USD'),
    opened_date: day,
    last_payment_date: day,
    last_payment_amount: amount,
    application_number,
  },
);
const schedule = some(
  { account_id, schedule_id },
  {
    total_amount: amount,
    n_payments: oneOf(1, 2, 3),
    payment_frequency: note,
    payments: fc.array(
      some(
        { payment_number: oneOf(1, 2, 3) },
        { due_date: day, amount, status: oneOf('SCHEDULED', 'PAID', 'MISSED', null), paid_amount: amount },
      ),
      { maxLength: 3 },
    ),
  },
);
const payment = some(
  { account_id },
  { payment_id: oneOf('Y1', 'Y2'), schedule_id, payment_number: oneOf(1, 2), amount, due_date: day },
);
const customer = some(
  { customer_id },
  {
    first_name: note,
    last_name: note,
    email_address: note,
    mobile_phone_number: oneOf('+49 170', '0170'),
    ekyc_status: note,
    residential_address: fc.record({ street: note }),
    cif: oneOf('K1', 'K2'),
  },
);
const application = some(
  { application_number },
  { customer_id, account_id, loan_amount: amount, loan_purpose: note, status: note },
);
const chat = some({ conversation_id: oneOf('V1', 'V2') }, { customer_id, application_number, account_id });
const with_ = (base: fc.Arbitrary<object>, more: Record<string, fc.Arbitrary<unknown>>) =>
  fc.tuple(base, some({}, more)).map(([a, b]) => ({ ...a, ...b }));
const kind = oneOf('fee_waiver', 'write_off');
const settled = some({ request_id: oneOf('W1', 'W2') }, { kind, account_id, comment: note });
const decided = (by: string) =>
  some({ request_id: oneOf('W1', 'W2') }, { [`${by}_by`]: note, comment: note });
const notice = some(
  { notification_id: oneOf('T1', 'T2') },
  { customer_id, account_id, channel: note, recipient: note, error_message: note },
);
const collection = some(
  { account_id },
  { case_id: oneOf('K1', 'K2'), customer_id, reason: note, step: oneOf(1, 2) },
);
const received = fc.record({
  id: oneOf('R1', 'R2'),
  loan_account_number: oneOf('N1', 'N2'),
  cif: oneOf('K1', 'K2'),
  amount: fc.constant('100.00'),
  payment_date: day,
});

const payloads: Readonly<Record<string, fc.Arbitrary<object>>> = {
  'account.created.v1': account,
  'account.updated.v1': account,
  'account.status_changed.v1': fc.record({
    account_id,
    new_status: oneOf('PENDING', 'ACTIVE', 'SUSPENDED', 'CLOSED'),
  }),
  'account.closed.v1': some(
    { account_id },
    { closure_reason: oneOf('PAID_OFF', 'WRITTEN_OFF', 'ADMIN_CLOSED'), closed_at: day },
  ),
  'account.schedule.created.v1': schedule,
  'account.schedule.updated.v1': schedule,
  'loan.aging.updated.v1': some(
    { account_id },
    { dpd: oneOf(0, 5, 40), bucket: note, arrears_amount: amount },
  ),
  'payment.scheduled.v1': payment,
  'payment.processed.v1': with_(payment, { status: oneOf('PROCESSED', 'FAILED') }),
  'customer.created.v1': customer,
  'customer.changed.v1': customer,
  'customer.updated.v1': customer,
  'customer.verified.v1': some({ customer_id }, { ekyc_status: note, verified_at: day }),
  'customer.identity.linked.v1': fc.record({
    customer_id,
    identifier_type: oneOf('cif', 'CIF', 'passport', 'customer_id'),
    identifier_value: oneOf('K1', 'K2', 'C1'),
  }),
  'customer.identity.merged.v1': fc
    .record({ surviving_customer_id: customer_id, merged_customer_id: customer_id })
    .filter((merge) => merge.surviving_customer_id !== merge.merged_customer_id),
  'application.submitted.v1': application,
  'application.status_changed.v1': with_(application, {}).map((a) => ({ new_status: 'APPROVED', ...a })),
  conversation_started: with_(chat, { channel: note }),
  user_input: with_(chat, { utterance: note }),
  assistant_response: with_(chat, { text: note }),
  conversation_summary: with_(chat, { summary: note }),
  applicationDetail_changed: with_(chat, { loan_amount: amount, loan_purpose: note }),
  final_decision: with_(chat, { decision: oneOf('APPROVED', 'DECLINED'), reason: note }),
  identityRisk_assessment: with_(chat, { outcome: oneOf('PASS', 'FAIL'), score: oneOf(0.5, 1) }),
  noticeboard_post: with_(chat, { content: note }),
  'writeoff.requested.v1': some(
    { request_id: oneOf('W1', 'W2') },
    { account_id, amount, reason: note, requested_by: note },
  ),
  'writeoff.approved.v1': decided('approved'),
  'writeoff.rejected.v1': decided('rejected'),
  'writeoff.cancelled.v1': decided('cancelled'),
  'approval.requested.v1': some(
    { request_id: oneOf('W1', 'W2') },
    { kind, account_id, amount, reason: note, requested_by: note },
  ),
  'approval.approved.v1': decided('approved'),
  'approval.rejected.v1': decided('rejected'),
  'approval.cancelled.v1': decided('cancelled'),
  'approval.expired.v1': settled,
  'approval.executed.v1': settled,
  'approval.failed.v1': settled,
  'notification.sent.v1': notice,
  'notification.delivery_failed.v1': notice,
  'statement.generated.v1': some(
    { statement_id: oneOf('M1', 'M2') },
    { account_id, customer_id, period_start: day, period_end: day, url: note },
  ),
  'collection.case.opened.v1': collection,
  'collection.case.cured.v1': collection,
  'collection.case.exhausted.v1': collection,
  'collection.case.hardship_paused.v1': collection,
  'collection.case.resumed.v1': collection,
  'collection.case.stop_contact_applied.v1': collection,
  'collection.case.step_advanced.v1': collection,
  'payment.recorded': fc.record({ payment: received }),
  'payment.reversed': fc.record({
    payment: received,
    reversal: fc.record({ reversed_total: oneOf('5.00', '20.50', '100.00') }),
  }),
  'ledger.balance.changed.v1': fc.record({
    account_id,
    version: oneOf(1, 2, 10),
    total_outstanding: amount,
    currency: fc.constant('EUR'),
  }),
  'nobody.handles.v1': fc.record({ customer_id }),
};
export const randomTypes = Object.keys(payloads);

const at = oneOf(
  undefined,
  '2026-01-01T00:00:00Z',
  '2026-01-01T01:00:00',
  '2026-01-01T00:00:00.000000001Z',
  '2026-02-01',
  '1770000000',
);
const one = fc
  .constantFrom(...randomTypes)
  .chain((type) =>
    fc.record({ type: fc.constant(type), payload: payloads[type] as fc.Arbitrary<object>, at }),
  );

/** Events of different ids, some of which are others again, sent under another id and maybe at another time. */
export const anyEvents = (maxLength: number): fc.Arbitrary<StreamEvent[]> =>
  fc
    .record({
      originals: fc.array(one, { minLength: 1, maxLength }),
      again: fc.array(fc.record({ which: fc.nat(), at: fc.option(at, { nil: 'same' }) }), {
        maxLength: maxLength / 5,
      }),
      salt: fc.shuffledSubarray([...'abcdef'], { minLength: 6 }),
    })
    .map(({ originals, again, salt }) => {
      const repeated = again.map(({ which, at }) => {
        const original = originals[which % originals.length] as (typeof originals)[number];
        return { ...original, at: at === 'same' ? original.at : at };
      });
      return [...originals, ...repeated].map(({ type, payload, at }, n) =>
        event(type, payload as Record<string, unknown>, { id: `${salt[n % 6]}${n}`, at }),
      );
    });

/** Ways in which events may be delivered: batches of any size, in any order, some of them several times. */
export const anyDelivery = <T>(items: readonly T[]): fc.Arbitrary<T[][]> =>
  fc
    .record({
      repeated: fc.subarray([...items]),
      cuts: fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 5 }),
    })
    .chain(({ repeated, cuts }) => {
      const deliveries = [...items, ...repeated];
      return fc
        .shuffledSubarray(
          deliveries.map((_, n) => n),
          { minLength: deliveries.length },
        )
        .map((order) =>
          inBatches(
            order.map((n) => deliveries[n] as T),
            cuts,
          ),
        );
    });

export function inBatches<T>(items: readonly T[], sizes: readonly number[]): T[][] {
  const batches: T[][] = [];
  for (let from = 0, n = 0; from < items.length; n++) {
    const size = sizes[n % sizes.length] ?? 1;
    batches.push(items.slice(from, from + size));
    from += size;
  }
  return batches;
}

/** By their own time, then their id. */
export const sorted = (events: readonly StreamEvent[]): StreamEvent[] =>
  events.toSorted((a, b) => (`${a.time ?? ''} ${a.id}` < `${b.time ?? ''} ${b.id}` ? -1 : 1));

/** The states after all of the batches, without a database. */
export function foldInMemory(batches: ReadonlyArray<readonly Incoming[]>): Map<AggregateKey, State> {
  const states = new Map<AggregateKey, State>();
  for (const batch of batches) for (const [key, state] of foldAll(states, batch)) states.set(key, state);
  return states;
}

/** All that the tables would hold. */
export function picture(batches: ReadonlyArray<readonly Incoming[]>) {
  const states = [...foldInMemory(batches)].sort(([a], [b]) => (a < b ? -1 : 1));
  const aggregates = states.map(([key, state]) => {
    const [kind, id] = [key.slice(0, key.indexOf(':')) as AggregateKind, key.slice(key.indexOf(':') + 1)];
    const { row, lists, identifiers } = projections[kind];
    return [
      key,
      {
        state,
        row: row(state, rules),
        lists: lists.map(({ rows }) => rows(state)),
        names: identifiers(id, state),
      },
    ];
  });
  const entries = new Map(
    batches.flat().flatMap(({ read }) => entriesOf(read).map((entry) => [entry.eventId, entry])),
  );
  return { aggregates, entries: [...entries.values()].sort((a, b) => (a.eventId < b.eventId ? -1 : 1)) };
}

/** Every table that folding writes, as `table: rows`, in one order; `state` as JSON and not as text. */
export async function dump(owner: Database): Promise<Record<string, unknown[]>> {
  const selects = tables.map(
    (table) =>
      `select '${table}' as name, coalesce(jsonb_agg(r order by r::text collate "C"), '[]') as rows
       from (select to_jsonb(t) - array['archived_at', 'sealed', 'wrapped', 'source'] as r from servicing.${table} t) as of_table`,
  );
  const rows = await owner.query<{ name: string; rows: unknown[] }>(selects.join(' union all '));
  return Object.fromEntries(rows.map(({ name, rows }) => [name, rows]));
}

export const empty = (owner: Database) =>
  owner.query(`truncate ${tables.map((table) => `servicing.${table}`).join(', ')}`);

const tables = [
  ...Object.values(projections).flatMap(({ table, lists }) => [table, ...lists.map((list) => list.table)]),
  ...['identifiers', 'conversation_entries', 'event_ids', 'events', 'subject_keys'],
];
