import { expect, test } from 'vitest';
import type { Database } from '../database.ts';
import { event } from '../servicing/testing.ts';
import { readCustomer } from './customer.ts';
import { recorded, useProjections } from './testing.ts';

const projections = useProjections();
const { fold } = projections;
const read = (name: string, db: Database = projections.api) => readCustomer(db, name, '2026-03-15');

test('everything about a customer is told in one call', async () => {
  await fold(
    event('customer.created.v1', {
      customer_id: 'C1',
      cif: 'CIF-1',
      first_name: 'Ana',
      last_name: 'Ruiz',
      email_address: 'ana@example.com',
      mobile_phone_number: '+34 600 000 001',
      date_of_birth: '1990-02-03',
      ekyc_status: 'PASSED',
      residential_address: { street: 'Calle 1', number: 7 },
    }),
    event('customer.verified.v1', { customer_id: 'C1', verified_at: '2026-01-02T03:04:05Z' }),
    event('customer.identity.linked.v1', {
      customer_id: 'C1',
      identifiers: [{ type: 'passport', value: 'P-1' }],
    }),
    recorded('P1', 'N1', '60.00'),
    event('account.created.v1', {
      account_id: 'A1',
      account_number: 'N1',
      customer_id: 'C1',
      status: 'ACTIVE',
      loan_amount: '300.00',
      current_balance: '240.00',
      opened_date: '2026-01-05T10:00:00Z',
    }),
    event('loan.aging.updated.v1', { account_id: 'A1', days_past_due: 14, arrears_amount: '40.00' }),
    event('account.schedule.created.v1', {
      account_id: 'A1',
      schedule_id: 'S1',
      payments: [1, 2, 3].map((n) => ({ payment_number: n, due_date: `2026-0${n + 1}-15`, amount: '50.00' })),
    }),
    event('account.created.v1', {
      account_id: 'A2',
      customer_id: 'C2',
      borrowers: [{ customer_id: 'C1', role: 'guarantor' }],
    }),
    event('application.submitted.v1', {
      application_number: 'AP1',
      customer_id: 'C1',
      loan_amount: '300.00',
      submitted_at: '2026-01-01',
    }),
    event('application.submitted.v1', {
      application_number: 'AP2',
      customer_id: 'C1',
      loan_amount: '500.00',
      submitted_at: '2026-02-01',
    }),
    event(
      'conversation_started',
      { channel: 'web' },
      { conversation_id: 'V1', user_id: 'C1', at: '2026-03-01' },
    ),
    event(
      'user_input',
      { text: 'hello' },
      { conversation_id: 'V1', user_id: 'C1', at: '2026-03-02T00:00:00Z' },
    ),
    event('notification.sent.v1', {
      notification_id: 'T1',
      customer_id: 'C1',
      channel: 'SMS',
      template: 'reminder',
      sent_at: '2026-03-03T00:00:00Z',
    }),
    event('notification.delivery_failed.v1', {
      notification_id: 'T2',
      account_id: 'A1',
      channel: 'email',
      failed_at: '2026-03-04T00:00:00Z',
    }),
    event('notification.sent.v1', { notification_id: 'T3', customer_id: 'C2', account_id: 'A2' }),
    event('writeoff.requested.v1', {
      request_id: 'W1',
      account_id: 'A1',
      amount: '10.00',
      requested_by: 'joe',
      requested_at: '2026-03-05T00:00:00Z',
    }),
    event('writeoff.requested.v1', { request_id: 'W2', customer_id: 'C1', amount: '11.00' }),
    event('writeoff.rejected.v1', { request_id: 'W2', rejected_by: 'mary' }),
    event('collection.case.opened.v1', { case_id: 'K1', account_id: 'A1' }, { at: '2026-03-06T00:00:00Z' }),
  );
  let calls = 0;
  const counted: Database = {
    query: (text, params) => {
      calls += 1;
      return projections.api.query(text, params);
    },
    arrays: (text, params) => projections.api.arrays(text, params),
  };
  const customer = await read('CIF-1', counted);
  expect(calls).toBe(1);
  const conversation = {
    conversationId: 'V1',
    channel: 'web',
    status: 'open',
    startedAt: '2026-02-28T23:00:00.000Z',
    lastMessageAt: '2026-03-02T00:00:00.000Z',
    summary: null,
  };
  const request = {
    requestId: 'W1',
    kind: 'writeoff',
    accountId: 'A1',
    currency: 'EUR',
    amount: '10.00',
    requestedBy: 'joe',
    requestedAt: '2026-03-05T00:00:00.000Z',
  };
  const openCase = {
    caseId: 'K1',
    accountId: 'A1',
    status: 'open',
    step: null,
    stopContact: false,
    openedAt: '2026-03-06T00:00:00.000Z',
  };
  expect(customer).toEqual({
    customerId: 'C1',
    ids: ['C1'],
    cif: 'CIF-1',
    identifiers: [
      { type: 'cif', value: 'CIF-1' },
      { type: 'passport', value: 'P-1' },
    ],
    erased: false,
    firstName: 'Ana',
    lastName: 'Ruiz',
    fullName: 'Ana Ruiz',
    emailAddress: 'ana@example.com',
    mobilePhoneNumber: '+34 600 000 001',
    dateOfBirth: '1990-02-03',
    ekycStatus: 'PASSED',
    verified: true,
    verifiedAt: '2026-01-02T03:04:05.000Z',
    residentialAddress: { street: 'Calle 1', number: '7' },
    mailingAddress: null,
    flags: { hardship: false, stopContact: false, writtenOff: false, merged: false },
    arrears: [{ currency: 'EUR', amount: '40.00', accounts: 1, daysPastDue: 14 }],
    lastPayments: [
      {
        at: '2026-03-10T09:00:00.000Z',
        amount: '60.00',
        currency: 'EUR',
        source: 'received',
        reference: 'REF-P1',
        accountId: 'A1',
        accountNumber: 'N1',
      },
    ],
    loans: [
      {
        accountId: 'A1',
        accountNumber: 'N1',
        role: 'borrower',
        status: 'active',
        currency: 'EUR',
        currentBalance: '240.00',
        arrearsAmount: '40.00',
        daysPastDue: 14,
        missedInstalments: 0,
        nextInstalment: {
          paymentNumber: 2,
          dueOn: '2026-03-15',
          amount: '50.00',
          currency: 'EUR',
          state: 'partial',
          status: null,
          paidAmount: '0.00',
          receivedAmount: '10.00',
        },
        lastPayment: {
          at: '2026-03-10T09:00:00.000Z',
          amount: '60.00',
          currency: 'EUR',
          source: 'received',
          reference: 'REF-P1',
        },
      },
      {
        accountId: 'A2',
        accountNumber: null,
        role: 'guarantor',
        status: null,
        currency: null,
        currentBalance: null,
        arrearsAmount: null,
        daysPastDue: null,
        missedInstalments: 0,
        nextInstalment: null,
        lastPayment: null,
      },
    ],
    conversations: { count: 1, latest: conversation },
    recentConversations: [conversation],
    applications: {
      count: 2,
      latest: {
        applicationNumber: 'AP2',
        status: 'submitted',
        currency: 'EUR',
        loanAmount: '500.00',
        submittedAt: '2026-01-31T23:00:00.000Z',
        decision: null,
      },
    },
    notifications: {
      count: 2,
      latest: {
        notificationId: 'T2',
        kind: null,
        channel: 'email',
        template: null,
        status: 'failed',
        at: '2026-03-04T00:00:00.000Z',
      },
    },
    openApprovals: { count: 1, latest: request },
    openRequests: [request],
    cases: { count: 1, latest: openCase },
    notes: [],
    openCases: [openCase],
  });
  expect(await read('nobody')).toBeUndefined();
});

test('a merge gives the survivor what belongs to all, and what it lacks from the one merged last', async () => {
  await fold(
    event('customer.created.v1', {
      customer_id: 'M1',
      first_name: 'Old',
      last_name: 'Name',
      email_address: 'old@example.com',
      mobile_phone_number: '1',
      cif: 'CIF-old',
    }),
    event('customer.created.v1', {
      customer_id: 'M2',
      email_address: 'newer@example.com',
      mobile_phone_number: '2',
    }),
    event('customer.created.v1', { customer_id: 'M3', last_name: 'Only', mobile_phone_number: '3' }),
    event('account.created.v1', { account_id: 'AM1', customer_id: 'M1' }),
    event('account.created.v1', { account_id: 'AM3', customer_id: 'M3' }),
    event('conversation_started', {}, { conversation_id: 'VM1', user_id: 'M1' }),
    event(
      'customer.identity.merged.v1',
      { surviving_customer_id: 'M3', merged_customer_id: 'M1' },
      { at: '2026-01-01' },
    ),
    event(
      'customer.identity.merged.v1',
      { surviving_customer_id: 'M3', merged_customer_id: 'M2' },
      { at: '2026-01-02' },
    ),
  );
  const survivor = await read('M3');
  expect(survivor).toMatchObject({
    customerId: 'M3',
    ids: ['M3', 'M2', 'M1'],
    cif: 'CIF-old',
    firstName: null,
    lastName: 'Only',
    fullName: 'Only',
    emailAddress: 'newer@example.com',
    mobilePhoneNumber: '3',
    loans: [{ accountId: 'AM1' }, { accountId: 'AM3' }],
    conversations: { count: 1, latest: { conversationId: 'VM1' } },
  });
  for (const name of ['M1', 'M2', 'CIF-old', 'AM1', 'VM1']) expect(await read(name)).toEqual(survivor);
});

test('merges in a circle have one survivor, and everything is found', async () => {
  await fold(
    event('account.created.v1', { account_id: 'AR1', customer_id: 'R1' }),
    event(
      'customer.identity.merged.v1',
      { surviving_customer_id: 'R2', merged_customer_id: 'R1' },
      { at: '2026-01-01' },
    ),
    event(
      'customer.identity.merged.v1',
      { surviving_customer_id: 'R1', merged_customer_id: 'R2' },
      { at: '2026-01-02' },
    ),
  );
  expect(await read('R2')).toEqual(await read('R1'));
  expect(await read('R2')).toMatchObject({
    customerId: 'R1',
    ids: ['R1', 'R2'],
    loans: [{ accountId: 'AR1' }],
  });
});

test('a customer who was erased is a shell that says so', async () => {
  await projections.owner.query(
    `insert into servicing.subject_keys (subject, erased_at) values ('customer:E1', now())`,
  );
  await fold(
    event('customer.created.v1', { customer_id: 'E1', first_name: 'Gone', cif: 'CIF-E' }),
    event('account.created.v1', { account_id: 'AE', customer_id: 'E1' }),
  );
  expect(await read('E1')).toMatchObject({
    erased: true,
    fullName: null,
    cif: 'CIF-E',
    loans: [{ accountId: 'AE' }],
  });
});

test('a customer of whom only others have told is there, with what is theirs', async () => {
  await fold(event('account.created.v1', { account_id: 'A9', customer_id: 'C9' }));
  expect(await read('C9')).toMatchObject({
    customerId: 'C9',
    ids: ['C9'],
    verified: false,
    identifiers: [],
    loans: [{ accountId: 'A9' }],
    cases: { count: 0, latest: null },
  });
});

test('what whoever speaks to them must know is told, also of the loans they share and the ids they had', async () => {
  const opened = (id: string, account: string, at: string) =>
    event('collection.case.opened.v1', { case_id: id, account_id: account }, { at });
  await fold(
    event('customer.created.v1', { customer_id: 'G1', first_name: 'Gil' }),
    event('customer.identity.merged.v1', { surviving_customer_id: 'G1', merged_customer_id: 'G2' }),
    event('account.created.v1', {
      account_id: 'GA',
      account_number: 'GN',
      customer_id: 'G2',
      loan_amount: '10.00',
    }),
    event('account.created.v1', {
      account_id: 'GB',
      customer_id: 'G1',
      loan_amount: '10.00',
      currency: 'USD',
    }),
    event('loan.aging.updated.v1', { account_id: 'GA', days_past_due: 3, arrears_amount: '4.00' }),
    event('loan.aging.updated.v1', {
      account_id: 'GB',
      days_past_due: 90,
      arrears_amount: '9.00',
      currency: 'USD',
    }),
    opened('GK1', 'GA', '2026-03-01'),
    opened('GK2', 'GB', '2026-03-02'),
  );
  const quiet = { hardship: false, stopContact: false, writtenOff: false, merged: true };
  expect(await read('G1')).toMatchObject({
    flags: quiet,
    arrears: [
      { currency: 'EUR', amount: '4.00', accounts: 1, daysPastDue: 3 },
      { currency: 'USD', amount: '9.00', accounts: 1, daysPastDue: 90 },
    ],
    openCases: [{ caseId: 'GK2' }, { caseId: 'GK1' }],
  });
  await fold(
    event('collection.case.hardship_paused.v1', { case_id: 'GK1' }, { at: '2026-03-03' }),
    event('collection.case.stop_contact_applied.v1', { case_id: 'GK2' }, { at: '2026-03-03' }),
    event('account.closed.v1', { account_id: 'GB', closure_reason: 'WRITTEN_OFF' }, { at: '2026-03-03' }),
    event('collection.case.exhausted.v1', { case_id: 'GK2' }, { at: '2026-03-04' }),
  );
  expect(await read('G1')).toMatchObject({
    flags: { hardship: true, stopContact: true, writtenOff: true, merged: true },
    arrears: [{ currency: 'EUR', amount: '4.00' }],
    cases: { count: 2 },
    openCases: [{ caseId: 'GK1', status: 'paused' }],
  });
});

test('the last five payments come from our log, or from the system of a loan of which our log knows none', async () => {
  const processed = (key: number, account: string, at: string) =>
    event('payment.processed.v1', {
      account_id: account,
      schedule_id: `H${account}`,
      payment_number: key,
      amount: '7.00',
      status: 'PROCESSED',
      processed_at: at,
    });
  await fold(
    event('account.created.v1', { account_id: 'HA', account_number: 'HN', customer_id: 'H1' }),
    event('account.created.v1', { account_id: 'HB', customer_id: 'H1' }),
    processed(1, 'HA', '2026-03-12T00:00:00Z'),
    processed(1, 'HB', '2026-03-11T00:00:00Z'),
    ...[1, 2, 3, 4, 5].map((n) =>
      recorded(`H${n}`, 'HN', `${n}.00`, { payment_date: `2026-03-0${n}T00:00:00Z` }),
    ),
  );
  const customer = await read('H1');
  expect(customer?.lastPayments.map(({ accountId, source, amount }) => [accountId, source, amount])).toEqual([
    ['HB', 'processed', '7.00'],
    ...[5, 4, 3, 2].map((n) => ['HA', 'received', `${n}.00`]),
  ]);
});
