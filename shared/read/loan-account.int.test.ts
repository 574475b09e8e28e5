import fc from 'fast-check';
import { expect, test } from 'vitest';
import { event } from '../servicing/testing.ts';
import { readLoanAccount } from './loan-account.ts';
import { recorded, reversed, useProjections } from './testing.ts';

const projections = useProjections();
const { fold } = projections;
const today = '2026-03-15';
const read = (name: string, on = today) => readLoanAccount(projections.api, name, on);

/** Three of 100.50, due on the first of February, March and April. */
const schedule = (accountId: string, more: Record<string, unknown> = {}, payments?: object[]) =>
  event('account.schedule.created.v1', {
    account_id: accountId,
    schedule_id: `S-${accountId}`,
    total_amount: '301.50',
    fee: '1.50',
    n_payments: 3,
    payment_frequency: 'MONTHLY',
    payments:
      payments ??
      [2, 3, 4].map((month, i) => ({
        payment_number: i + 1,
        due_date: `2026-0${month}-01`,
        amount: '100.50',
      })),
    ...more,
  });
const statesOf = async (name: string, on = today) =>
  (await read(name, on))?.schedule?.instalments.map((i) => `${i.state} ${i.paidAmount} ${i.receivedAmount}`);

test('a loan is told with its borrowers, terms and schedule', async () => {
  await fold(
    event('customer.created.v1', { customer_id: 'C1', first_name: 'Ana', last_name: 'Ruiz' }),
    event('customer.identity.merged.v1', { surviving_customer_id: 'C1', merged_customer_id: 'C0' }),
    event('account.created.v1', {
      account_id: 'A1',
      account_number: 'N1',
      customer_id: 'C0',
      borrowers: [{ customer_id: 'C2', role: 'guarantor' }],
      status: 'ACTIVE',
      loan_amount: '300.00',
      loan_fee: '1.50',
      loan_total_payable: '301.50',
      current_balance: '301.50',
      opened_date: '2026-01-05T10:00:00Z',
    }),
    event('loan.aging.updated.v1', {
      account_id: 'A1',
      days_past_due: 14,
      bucket: '1-30',
      arrears_amount: '100.5',
    }),
    schedule('A1'),
  );
  expect(await read('N1')).toEqual({
    accountId: 'A1',
    accountNumber: 'N1',
    applicationNumber: null,
    status: 'active',
    currency: 'EUR',
    loanAmount: '300.00',
    loanFee: '1.50',
    loanTotalPayable: '301.50',
    currentBalance: '301.50',
    arrearsAmount: '100.50',
    daysPastDue: 14,
    agingBucket: '1-30',
    openedAt: '2026-01-05T10:00:00.000Z',
    closedAt: null,
    closureReason: null,
    borrowers: [
      { customerId: 'C0', survivingCustomerId: 'C1', role: 'borrower', fullName: 'Ana Ruiz' },
      { customerId: 'C2', survivingCustomerId: 'C2', role: 'guarantor', fullName: null },
    ],
    lastPayment: null,
    schedule: {
      scheduleId: 'S-A1',
      currency: 'EUR',
      loanAmount: null,
      totalAmount: '301.50',
      fee: '1.50',
      nPayments: 3,
      paymentFrequency: 'MONTHLY',
      scheduledAt: null,
      receivedAmount: '0.00',
      receivedBeyond: '0.00',
      instalments: [
        {
          paymentNumber: 1,
          dueOn: '2026-02-01',
          amount: '100.50',
          currency: 'EUR',
          state: 'missed',
          status: null,
          paidAmount: '0.00',
          receivedAmount: '0.00',
        },
        expect.objectContaining({ paymentNumber: 2, dueOn: '2026-03-01', state: 'missed' }),
        expect.objectContaining({ paymentNumber: 3, dueOn: '2026-04-01', state: 'scheduled' }),
      ],
    },
  });
  expect(await read('nothing')).toBeUndefined();
});

test('an instalment is missed once its day is over', async () => {
  await fold(schedule('A-day'), event('account.created.v1', { account_id: 'A-day' }));
  expect(await statesOf('A-day', '2026-02-01')).toEqual(Array(3).fill('scheduled 0.00 0.00'));
  expect(await statesOf('A-day', '2026-02-02')).toEqual([
    'missed 0.00 0.00',
    'scheduled 0.00 0.00',
    'scheduled 0.00 0.00',
  ]);
});

test('what was received covers the oldest due first, whatever number it has, to the last digit', async () => {
  await fold(
    recorded('P-early', 'N-cover', '100.49'),
    event('account.created.v1', { account_id: 'A-cover', account_number: 'N-cover', loan_amount: '300.00' }),
    schedule('A-cover', {}, [
      { payment_number: 3, due_date: '2026-02-01', amount: '100.50' },
      { payment_number: 1, due_date: '2026-04-01', amount: '100.50' },
      { payment_number: 2, due_date: '2026-03-01', amount: '100.50' },
    ]),
  );
  expect(await statesOf('A-cover')).toEqual([
    'missed 0.00 100.49',
    'missed 0.00 0.00',
    'scheduled 0.00 0.00',
  ]);
  await fold(
    recorded('P-late', 'A-cover', '0.01'),
    recorded('P-other-currency', 'N-cover', '999', { currency: 'JPY' }),
  );
  expect(await statesOf('A-cover')).toEqual(['paid 0.00 100.50', 'missed 0.00 0.00', 'scheduled 0.00 0.00']);
  await fold(recorded('P-more', 'N-cover', '100.60'));
  expect(await statesOf('A-cover')).toEqual(['paid 0.00 100.50', 'paid 0.00 100.50', 'partial 0.00 0.10']);
  await fold(recorded('P-beyond', 'N-cover', '200.00'));
  expect(await read('A-cover')).toMatchObject({
    schedule: { receivedAmount: '401.10', receivedBeyond: '99.60', instalments: { 2: { state: 'paid' } } },
  });
});

test('what was taken back covers nothing', async () => {
  await fold(
    event('account.created.v1', { account_id: 'A-back', account_number: 'N-back', loan_amount: '300.00' }),
    schedule('A-back'),
    recorded('P-back', 'N-back', '100.50'),
    reversed('P-back', 'N-back', '100.50', '20.50'),
  );
  expect((await statesOf('A-back'))?.[0]).toBe('missed 0.00 80.00');
  expect(await read('A-back')).toMatchObject({ lastPayment: { amount: '80.00', source: 'received' } });
  await fold(reversed('P-back', 'N-back', '100.50', '100.50'));
  expect((await statesOf('A-back'))?.[0]).toBe('missed 0.00 0.00');
  expect(await read('A-back')).toMatchObject({ lastPayment: null });
});

test('a payment counts once the number of its loan is known, and for the loan that has the number now alone', async () => {
  await fold(
    recorded('P-number', 'N-later', '100.50'),
    event('account.created.v1', { account_id: 'A-later', loan_amount: '300.00' }, { at: '2026-01-01' }),
    schedule('A-later'),
  );
  expect((await statesOf('A-later'))?.[0]).toBe('missed 0.00 0.00');
  await fold(
    event('account.updated.v1', { account_id: 'A-later', account_number: 'N-later' }, { at: '2026-01-02' }),
  );
  expect((await statesOf('A-later'))?.[0]).toBe('paid 0.00 100.50');
  await fold(
    event('account.updated.v1', { account_id: 'A-heir', account_number: 'N-later' }, { at: '2026-01-03' }),
    schedule('A-heir'),
  );
  expect((await statesOf('A-later'))?.[0]).toBe('missed 0.00 0.00');
  expect((await statesOf('A-heir'))?.[0]).toBe('paid 0.00 100.50');
});

test('what the account says was paid counts, and the same money is not counted twice', async () => {
  await fold(
    event('account.created.v1', { account_id: 'A-says', account_number: 'N-says', loan_amount: '300.00' }),
    schedule('A-says'),
    event('account.schedule.updated.v1', {
      account_id: 'A-says',
      schedule_id: 'S-A-says',
      payments: [
        { payment_number: 1, status: 'PaymentStatus.PAID' },
        { payment_number: 2, status: 'PARTIAL', paid_amount: '60.00' },
      ],
    }),
    recorded('P-says', 'N-says', '100.50'),
  );
  expect(await statesOf('A-says', '2026-02-15')).toEqual([
    'paid 100.50 100.50',
    'partial 60.00 0.00',
    'scheduled 0.00 0.00',
  ]);
  expect((await statesOf('A-says'))?.[1]).toBe('missed 60.00 0.00');
});

test('a payment that the system processed for an instalment pays it, one that failed does not', async () => {
  const pay = (n: number, status?: string) =>
    event('payment.processed.v1', {
      account_id: 'A-proc',
      schedule_id: 'S-A-proc',
      payment_number: n,
      amount: '100.50',
      processed_date: `2026-03-0${n}T08:00:00Z`,
      status,
    });
  await fold(
    event('account.created.v1', { account_id: 'A-proc', loan_amount: '300.00' }),
    schedule('A-proc'),
    pay(1),
    pay(2, 'FAILED'),
  );
  expect(await statesOf('A-proc')).toEqual(['paid 100.50 0.00', 'missed 0.00 0.00', 'scheduled 0.00 0.00']);
  expect(await read('A-proc')).toMatchObject({
    lastPayment: {
      at: '2026-03-01T08:00:00.000Z',
      amount: '100.50',
      currency: 'EUR',
      source: 'processed',
      reference: 'S-A-proc#1',
    },
  });
});

test('the last payment is the latest that anybody knows of', async () => {
  await fold(
    event('account.created.v1', {
      account_id: 'A-last',
      account_number: 'N-last',
      last_payment_date: '2026-03-09T12:00:00Z',
      last_payment_amount: '5.00',
    }),
  );
  expect(await read('A-last')).toMatchObject({ lastPayment: { source: 'account', amount: '5.00' } });
  await fold(recorded('P-last', 'N-last', '7.00'));
  expect(await read('A-last')).toMatchObject({
    lastPayment: {
      at: '2026-03-10T09:00:00.000Z',
      source: 'received',
      amount: '7.00',
      reference: 'REF-P-last',
    },
  });
});

test('of several schedules the one told last holds, in whatever order they come', async () => {
  const at = (schedule_id: string, at: string) =>
    event(
      'account.schedule.created.v1',
      {
        account_id: 'A-two',
        schedule_id,
        payments: [{ payment_number: 1, due_date: '2026-05-01', amount: '1.00' }],
      },
      { at },
    );
  await fold(
    event('account.created.v1', { account_id: 'A-two' }),
    at('S-new', '2026-02-02'),
    at('S-old', '2026-02-01'),
  );
  expect(await read('A-two')).toMatchObject({
    schedule: { scheduleId: 'S-new', currency: 'EUR', instalments: [{ amount: '1.00' }] },
  });
});

test('what is incomplete is told as far as it is known', async () => {
  await fold(
    event('account.status_changed.v1', { account_id: 'A-bare', new_status: 'SUSPENDED' }),
    schedule('A-bare', { n_payments: undefined }, [
      { payment_number: 1, due_date: '2026-02-01' },
      { payment_number: 2, amount: '10.00' },
      { payment_number: 3, due_date: '2026-02-02', amount: '0.00' },
    ]),
    recorded('P-bare', 'A-bare', '3.00'),
  );
  const loan = await read('A-bare');
  expect(loan).toMatchObject({ status: 'in_arrears', currency: null, currentBalance: null, borrowers: [] });
  expect(loan?.schedule?.instalments).toMatchObject([
    { paymentNumber: 1, amount: null, state: 'missed', receivedAmount: '0.00' },
    { paymentNumber: 3, amount: '0.00', state: 'paid' },
    { paymentNumber: 2, dueOn: null, amount: '10.00', state: 'partial', receivedAmount: '3.00' },
  ]);
});

test('amounts have the decimals of their currency', async () => {
  await fold(
    event('account.created.v1', { account_id: 'A-kwd', currency: 'KWD', loan_amount: '9999999999999.125' }),
    event('account.created.v1', { account_id: 'A-jpy', currency: 'JPY', loan_amount: 300 }),
  );
  expect(await read('A-kwd')).toMatchObject({ currency: 'KWD', loanAmount: '9999999999999.125' });
  expect(await read('A-jpy')).toMatchObject({ currency: 'JPY', loanAmount: '300' });
});

test('money is poured into instalments to the last cent, in whatever order everything comes', async () => {
  const cents = fc.integer({ min: 1, max: 30_000 });
  const loans = fc.sample(
    fc.record({
      instalments: fc.array(fc.record({ day: fc.integer({ min: 1, max: 28 }), cents }), {
        minLength: 1,
        maxLength: 6,
      }),
      payments: fc.array(fc.record({ cents, back: fc.double({ min: 0, max: 1, noNaN: true }) }), {
        maxLength: 5,
      }),
      order: fc.array(fc.nat(), { minLength: 20, maxLength: 20 }),
    }),
    { numRuns: 60, seed: 7 },
  );
  const text = (amount: number) => `${Math.floor(amount / 100)}.${String(amount % 100).padStart(2, '0')}`;
  const taken = ({ cents, back }: { cents: number; back: number }) => Math.floor(cents * back);
  for (const [n, { instalments, payments, order }] of loans.entries()) {
    const events = [
      event('account.created.v1', { account_id: `R${n}`, account_number: `RN${n}`, loan_amount: '1.00' }),
      schedule(
        `R${n}`,
        { n_payments: instalments.length },
        instalments.map(({ day, cents }, i) => ({
          payment_number: i + 1,
          due_date: `2026-03-${String(day).padStart(2, '0')}`,
          amount: text(cents),
        })),
      ),
      ...payments.flatMap((payment, i) => [
        recorded(`R${n}-${i}`, `RN${n}`, text(payment.cents)),
        ...(taken(payment) > 0
          ? [reversed(`R${n}-${i}`, `RN${n}`, text(payment.cents), text(taken(payment)))]
          : []),
      ]),
    ];
    const shuffled = events
      .map((one, i) => ({ one, rank: order[i] as number }))
      .sort((a, b) => a.rank - b.rank)
      .map(({ one }) => one);
    await fold(...shuffled);

    let left = payments.reduce((sum, payment) => sum + payment.cents - taken(payment), 0);
    const expected = instalments
      .map((one, i) => ({ ...one, number: i + 1 }))
      .sort((a, b) => a.day - b.day || a.number - b.number)
      .map(({ day, cents, number }) => {
        const received = Math.min(left, cents);
        left -= received;
        const open = received > 0 ? 'partial' : 'scheduled';
        const state = received === cents ? 'paid' : day < 15 ? 'missed' : open;
        return { paymentNumber: number, receivedAmount: text(received), state };
      });
    expect((await read(`R${n}`))?.schedule).toMatchObject({
      instalments: expected,
      receivedBeyond: text(left),
    });
  }
});
