import { describe, expect, test } from 'vitest';
import { event } from '../servicing/testing.ts';
import { place, recorded, useProjections } from './testing.ts';
import { readTimeline, timelineQuery } from './timeline.ts';

const projections = useProjections();
const { fold } = projections;
const read = async (name: string, limit = 200, after?: string) => {
  const answer = await readTimeline(projections.api, name, { limit, after, place });
  if (!answer.ok) throw new Error(answer.refusal);
  return answer.value ?? { customerId: undefined, rows: [], next: undefined };
};
const titles = async (customerId: string) => (await read(customerId)).rows.map((row) => row.title);

test('a timeline has what happened with the customer and with what is theirs, newest first', async () => {
  const at = (day: number) => `2026-03-${String(day).padStart(2, '0')}T10:00:00Z`;
  await fold(
    event('customer.created.v1', { customer_id: 'C1', first_name: 'Ana' }, { at: at(1) }),
    event('customer.created.v1', { customer_id: 'C0' }, { at: at(2) }),
    event(
      'customer.identity.merged.v1',
      { surviving_customer_id: 'C1', merged_customer_id: 'C0' },
      { at: at(3) },
    ),
    event(
      'account.created.v1',
      { account_id: 'A1', account_number: 'N1', customer_id: 'C0', borrowers: [{ customer_id: 'C2' }] },
      { at: at(4) },
    ),
    event('account.updated.v1', { account_id: 'A1', current_balance: '5.00' }, { at: at(5) }),
    event(
      'account.schedule.created.v1',
      { account_id: 'A1', schedule_id: 'S1', customer_id: 'C0' },
      { at: at(6) },
    ),
    event('payment.processed.v1', { account_id: 'A1', amount: '1.00', customer_id: 'C0' }, { at: at(7) }),
    recorded('P1', 'N1', '2.00'),
    recorded('P2', 'N-other', '3.00'),
    event('user_input', { text: 'I paid' }, { id: 'said', conversation_id: 'V1', user_id: 'C1', at: at(9) }),
    event('assistant_response', { text: 'Thanks' }, { conversation_id: 'V1', at: at(10) }),
    event(
      'final_decision',
      { decision: 'DECLINED', application_number: 'AP1' },
      { conversation_id: 'V2', at: at(11) },
    ),
    event('application.submitted.v1', { application_number: 'AP1', customer_id: 'C1' }, { at: at(12) }),
    event('noticeboard_post', { text: 'agents among themselves' }, { conversation_id: 'V1', at: at(13) }),
    event('writeoff.requested.v1', { request_id: 'W1', account_id: 'A1', amount: '4.00' }, { at: at(14) }),
    event('writeoff.approved.v1', { request_id: 'W1', approved_by: 'mary' }, { at: at(15) }),
    event(
      'notification.sent.v1',
      { notification_id: 'T1', customer_id: 'C2', account_id: 'A1' },
      { at: at(16) },
    ),
    event('collection.case.opened.v1', { account_id: 'A1' }, { at: at(17) }),
    event('card.issued.v9', { customer_id: 'C1' }, { at: at(18) }),
    event('customer.created.v1', { customer_id: 'C3' }, { at: at(19) }),
  );
  const expected = [
    'Collection case opened',
    'Write-off approved by mary',
    'Write-off of 4.00 EUR requested',
    'Application AP1 submitted',
    'Decision is declined',
    'The assistant answered',
    'The customer wrote',
    'Payment of 1.00 EUR processed',
    'Repayment schedule created',
    'Loan updated to a balance of 5.00 EUR',
    'Loan N1 created',
    'Customers merged into C1',
    'Customer created',
    'Customer created',
    'Payment of 2.00 EUR received on 2026-03-10',
  ];
  expect(await titles('C1')).toEqual(expected);
  for (const name of ['C0', 'A1', 'N1', 'V1']) expect(await titles(name)).toEqual(expected);
  expect((await read('C1')).rows.find((row) => row.eventId === 'said')).toEqual({
    eventId: 'said',
    kind: 'conversation',
    type: 'user_input',
    title: 'The customer wrote',
    at: at(9).replace('Z', '.000Z'),
    about: { kind: 'conversation', id: 'V1' },
    author: 'customer',
    words: 'I paid',
  });
  const others = await titles('C2');
  expect(others).toContain('Notification sent');
  expect(others).toContain('Payment of 1.00 EUR processed');
  expect(others).not.toContain('The customer wrote');
  expect(await readTimeline(projections.api, 'nobody', { limit: 5, place })).toEqual({
    ok: true,
    value: undefined,
  });
  expect(await read('C3')).toMatchObject({ customerId: 'C3', rows: [{ title: 'Customer created' }] });
});

test('pages are complete, repeat nothing and do not shift', async () => {
  const changed = (n: number, at?: string) =>
    event('customer.changed.v1', { customer_id: 'P1' }, { id: `page-${n}`, at });
  await fold(
    ...[1, 2, 3, 4].map((n) => changed(n, '2026-01-01T00:00:00Z')),
    ...[5, 6, 7].map((n) => changed(n)),
    ...[8, 9].map((n) => changed(n, `2026-01-01T00:00:00.00000000${n}Z`)),
  );
  for (const limit of [1, 2, 4, 9, 10]) {
    const found: string[] = [];
    let after: string | undefined;
    do {
      const page = await read('P1', limit, after);
      found.push(...page.rows.map((row) => row.eventId));
      after = page.next;
      await fold(changed(100 * limit + found.length, '2026-02-01'));
    } while (after !== undefined);
    expect(found.filter((id) => /-\d$/.test(id))).toEqual(
      [9, 8, 4, 3, 2, 1, 7, 6, 5].map((n) => `page-${n}`),
    );
    expect(new Set(found).size).toBe(found.length);
  }
});

test('a page of somebody else, or one that was altered, is refused', async () => {
  const { next } = await read('P1', 1);
  for (const [name, after] of [
    ['C1', next],
    ['P1', `${next}x`],
    ['P1', '2026-01-01T00:00:00Z'],
  ] as const) {
    expect(await readTimeline(projections.api, name, { after, limit: 1, place })).toEqual({
      ok: false,
      refusal: 'foreign_key',
    });
  }
});

test('what an erased customer said is gone, that they said something is not', async () => {
  await projections.owner.query(
    `insert into servicing.subject_keys (subject, erased_at) values ('customer:E1', now())`,
  );
  await fold(event('user_input', { text: 'my secret' }, { conversation_id: 'VE', user_id: 'E1' }));
  expect((await read('E1')).rows).toMatchObject([{ title: 'The customer wrote', words: null }]);
});

test('the role that reads may not read what is sealed', async () => {
  await expect(projections.api.query('select sealed from servicing.events')).rejects.toThrow('42501');
});

describe('among many events', () => {
  test('those of one customer are found by indexes', async () => {
    const others = 20_000;
    await projections.owner.query(
      `insert into servicing.events (event_id, type, aggregate, related, subject, version, occurred_at, source, facts)
       select 'many-' || n, 'account.updated.v1', 'account:many-' || n % 1000,
         case when n % 10 = 0 then array['application:many-' || n] end, 'account:many-' || n % 1000,
         '2026-01-01T00:00:00.000000000Z many-' || n, '2026-01-01', 'test', '{"payload":{}}'
       from generate_series(1, $1) n`,
      [others],
    );
    await projections.owner.query('analyze servicing.events');
    const [text, params] = timelineQuery('C1', undefined, 50);
    const rows = await projections.api.query<{ 'QUERY PLAN': string }>(
      `explain (analyze, costs off) ${text}`,
      params,
    );
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
    expect(plan).toMatch(/Bitmap Index Scan on events_\d{4}_\d\d_aggregate_idx/);
    expect(plan).toMatch(/Bitmap Index Scan on events_\d{4}_\d\d_subject_occurred_at_idx/);
    expect(plan).toMatch(/Bitmap Index Scan on events_\d{4}_\d\d_related_idx/);
    const removed = [...plan.matchAll(/Rows Removed by Filter: (\d+)/g)].map(([, count]) => Number(count));
    expect(Math.max(0, ...removed), plan).toBeLessThan(others / 10);
  });
});
