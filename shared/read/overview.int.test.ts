import { beforeAll, expect, test } from 'vitest';
import { recordPayments } from '../payments/record-payments.ts';
import { newPayment } from '../payments/testing.ts';
import { countDue } from '../servicing/count-due.ts';
import { event } from '../servicing/testing.ts';
import { readOverview } from './overview.ts';
import { dayBegan } from './stats.ts';
import { useProjections } from './testing.ts';

const projections = useProjections();
const { fold } = projections;
const day = '2026-03-15';

const loan = (id: string, days: number, arrears: string, currency = 'EUR') => [
  event('account.created.v1', {
    account_id: id,
    customer_id: 'C1',
    status: 'ACTIVE',
    loan_amount: '100.00',
    currency,
  }),
  event('loan.aging.updated.v1', { account_id: id, days_past_due: days, arrears_amount: arrears, currency }),
];
const schedule = (id: string, account: string, dueOn: string[], more: Record<string, unknown> = {}) =>
  event('account.schedule.created.v1', {
    schedule_id: id,
    account_id: account,
    payments: dueOn.map((due_date, n) => ({ payment_number: n + 1, due_date, amount: '50.00', ...more })),
  });
const scheduled = (number: number, on: string) =>
  event('payment.scheduled.v1', {
    account_id: 'A1',
    schedule_id: 'S1',
    payment_number: number,
    amount: '50.00',
    scheduled_date: on,
  });

beforeAll(async () => {
  await fold(
    ...loan('A1', 30, '1.10'),
    ...loan('A2', 31, '2.00'),
    ...loan('A3', 31, '3.00'),
    ...loan('A4', 90, '4.00', 'USD'),
    ...loan('A5', 91, '5.00'),
    ...loan('A6', 400, '600.00'),
    ...loan('A7', 0, '0.00'),
    event('account.closed.v1', { account_id: 'A6', closure_reason: 'WRITTEN_OFF' }),
    schedule('S1', 'A1', ['2026-03-14', '2026-03-15', '2026-03-16', '2026-03-22', '2026-03-23']),
    schedule('S2', 'A2', ['2026-03-15']),
    schedule('S3', 'A3', ['2026-03-15'], { status: 'PAID' }),
    // Over, and replaced.
    schedule('S6', 'A6', ['2026-03-15']),
    event(
      'account.schedule.created.v1',
      {
        schedule_id: 'S2-old',
        account_id: 'A2',
        payments: [{ payment_number: 1, due_date: '2026-03-15', amount: '9.00' }],
      },
      { at: '2020-01-01' },
    ),
    event(
      'account.schedule.created.v1',
      {
        schedule_id: 'S2-new',
        account_id: 'A2',
        payments: [{ payment_number: 1, due_date: '2026-03-16', amount: '7.00' }],
      },
      { at: '2026-02-01' },
    ),
    scheduled(2, '2026-03-15'),
    scheduled(3, '2026-03-16'),
    scheduled(4, '2026-03-22'),
    scheduled(5, '2026-03-23'),
  );
});

test('what is due, promised and late, by currency and how late it is', async () => {
  const none = await readOverview(projections.api, { day, began: new Date(`${day}T00:00:00Z`) });
  expect(none.due).toEqual({ today: [], nextSevenDays: [], countedAt: null });
  for (const now of ['2026-03-14T11:00:00Z', '2026-03-15T12:00:00Z', '2026-03-16T11:00:00Z'])
    await countDue(projections.owner, new Date(now));
  const overview = await readOverview(projections.api, { day, began: new Date(`${day}T00:00:00Z`) });
  const eur = (count: number, amount: string) => ({ currency: 'EUR', count, amount });
  expect(overview).toMatchObject({
    day,
    due: {
      today: [eur(1, '50.00')],
      nextSevenDays: [eur(3, '107.00')],
      countedAt: expect.stringMatching(/^\d{4}-.*Z$/),
    },
    promised: [eur(2, '100.00')],
    arrears: [
      { bucket: '1-30', ...eur(1, '1.10') },
      { bucket: '31-60', ...eur(2, '5.00') },
      { bucket: '61-90', currency: 'USD', count: 1, amount: '4.00' },
      { bucket: '90+', ...eur(1, '5.00') },
    ],
  });
});

test('what was received since the day began, by channel, and what still waits', async () => {
  const now = new Date();
  const began = dayBegan(now, 'Pacific/Auckland');
  const before = await readOverview(projections.api, { day, began });
  expect(before.received).toEqual({ totals: [], byChannel: [] });
  const sent = (paymentChannel: string, amountMinor: bigint, currency: 'EUR' | 'JPY') =>
    newPayment({
      paymentChannel,
      amount: { amountMinor, currency },
      paymentDate: new Date('2026-01-02T03:04:05Z'),
    });
  await recordPayments(projections.owner, [
    sent('bank', 10_050n, 'EUR'),
    sent('bank', 5n, 'EUR'),
    sent('card', 100n, 'EUR'),
    sent('card', 700n, 'JPY'),
  ]);
  await projections.owner.query(
    `update payment_service.payments set created_at = $1::timestamptz - interval '1 microsecond' where payment_channel = 'card' and currency = 'EUR'`,
    [began.toISOString()],
  );
  await projections.owner.query(
    `insert into servicing.inbox (fields, source, received_at) values ('{}', 'http', now() - interval '90 seconds'), ('{}', 'http', now())`,
  );
  await projections.owner.query(
    `insert into servicing.dead_letters (source, entry_id, fields, reason) values ('http', '1', '{}', 'x')`,
  );
  const { received, lag } = await readOverview(projections.api, { day, began });
  expect(received).toEqual({
    totals: [
      { currency: 'EUR', count: 2, amount: '100.55' },
      { currency: 'JPY', count: 1, amount: '700' },
    ],
    byChannel: [
      { channel: 'bank', currency: 'EUR', count: 2, amount: '100.55' },
      { channel: 'card', currency: 'JPY', count: 1, amount: '700' },
    ],
  });
  expect(lag).toMatchObject({
    staging: { waiting: 0 },
    inbox: { waiting: 2 },
    streams: null,
    accepted: { waiting: null, buried: null },
    deadLetters: 1,
    unsealed: { entries: 0, oldestSeconds: 0 },
  });
  expect(lag.inbox.oldestSeconds).toBeGreaterThanOrEqual(90);
  const waiting = await projections.owner.query<{ destination: string; waiting: number }>(
    'select destination, count(*)::int as waiting from outbox.messages group by 1 order by 1 desc',
  );
  expect(waiting[0]?.waiting).toBeGreaterThanOrEqual(4);
  expect(lag.outbox).toMatchObject([...waiting, { destination: 'requests', waiting: 0 }]);
});
