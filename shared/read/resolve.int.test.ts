import { beforeAll, expect, test } from 'vitest';
import { event } from '../servicing/testing.ts';
import { resolveCustomer, resolveLoan } from './resolve.ts';
import { useProjections } from './testing.ts';

const projections = useProjections();
const customer = (name: string) => resolveCustomer(projections.api, name);
const loan = (name: string) => resolveLoan(projections.api, name);

beforeAll(async () => {
  await projections.fold(
    event('customer.created.v1', { customer_id: 'C1', cif: 'CIF-1' }, { at: '2026-01-01' }),
    event('customer.identity.linked.v1', {
      customer_id: 'C1',
      identifier_type: 'passport',
      identifier_value: 'P-1',
    }),
    event('account.created.v1', {
      account_id: 'A1',
      account_number: 'N1',
      customer_id: 'C1',
      application_number: 'AP-2',
    }),
    event('application.submitted.v1', { application_number: 'AP-1', customer_id: 'C1', account_id: 'A1' }),
    event('conversation_started', { customer_id: 'C1' }, { conversation_id: 'V1' }),
    event('conversation_started', { application_number: 'AP-1' }, { conversation_id: 'V2' }),
    event('conversation_started', { application_number: 'AP-2' }, { conversation_id: 'V3' }),
    event('notification.sent.v1', { notification_id: 'NT1', account_id: 'A1', channel: 'sms' }),
    event('statement.generated.v1', { statement_id: 'ST1', account_id: 'A1' }),
    event('writeoff.requested.v1', { request_id: 'W1', account_id: 'A1', amount: '1.00' }),
    event('collection.case.opened.v1', { case_id: 'K1', account_id: 'A1' }),
    event('account.schedule.created.v1', { schedule_id: 'S1', account_id: 'A1' }),
    event('payment.scheduled.v1', { payment_id: 'PS1', account_id: 'A1', amount: '1.00' }),
  );
});

const ofTheLoan = ['A1', 'N1', 'AP-1', 'V2', 'V3', 'NT1', 'ST1', 'W1', 'K1', 'S1', 'PS1'];

test.each(['C1', 'CIF-1', 'P-1', 'V1', ...ofTheLoan])('the customer is found by %s', async (name) => {
  expect(await customer(name)).toBe('C1');
});

test.each(ofTheLoan)('the loan is found by %s', async (name) => {
  expect(await loan(name)).toBe('A1');
});

test.each(['c1', 'cif-1', ' C1', 'C1 ', 'C', '', 'customer:C1', "C1' or true --"])(
  '%j names nobody, because texts are compared exactly',
  async (name) => {
    expect(await customer(name)).toBeUndefined();
    expect(await loan(name)).toBeUndefined();
  },
);

test('a customer names no loan', async () => {
  expect(await loan('C1')).toBeUndefined();
  expect(await loan('V1')).toBeUndefined();
});

test('of several who were given a name, the one who was given it last is meant, in whatever order it is told', async () => {
  await projections.fold(
    event('customer.changed.v1', { customer_id: 'C3', cif: 'CIF-X' }, { at: '2026-03-01' }),
    event('customer.changed.v1', { customer_id: 'C2', cif: 'CIF-X' }, { at: '2026-02-01' }),
    event('account.updated.v1', { account_id: 'A3', account_number: 'NX' }, { at: '2026-02-01' }),
    event('account.updated.v1', { account_id: 'A2', account_number: 'NX' }, { at: '2026-03-01' }),
  );
  expect(await customer('CIF-X')).toBe('C3');
  expect(await loan('NX')).toBe('A2');
});

test('nobody takes over the id of another by being linked to it', async () => {
  await projections.fold(
    event('customer.identity.linked.v1', {
      customer_id: 'C3',
      identifier_type: 'customer_id',
      identifier_value: 'C1',
    }),
    event('account.updated.v1', { account_id: 'A2', account_number: 'A1' }),
  );
  expect(await customer('C1')).toBe('C1');
  expect(await loan('A1')).toBe('A1');
});

test('an id that is both a customer and a loan is whichever is asked for', async () => {
  await projections.fold(
    event('customer.created.v1', { customer_id: '1001' }),
    event('account.created.v1', { account_id: '1001', customer_id: 'C1' }),
  );
  expect(await customer('1001')).toBe('1001');
  expect(await loan('1001')).toBe('1001');
});

test('who was merged is the survivor, also by their names and through their loans', async () => {
  await projections.fold(
    event('customer.created.v1', { customer_id: 'M1', cif: 'CIF-M1' }),
    event('account.created.v1', { account_id: 'AM', customer_id: 'M1' }),
    event('customer.identity.merged.v1', { surviving_customer_id: 'M2', merged_customer_id: 'M1' }),
    event('customer.identity.merged.v1', { surviving_customer_id: 'M3', merged_customer_id: 'M2' }),
  );
  expect(await Promise.all(['M1', 'M2', 'M3', 'CIF-M1', 'AM'].map(customer))).toEqual(Array(5).fill('M3'));
});

test('a customer of whom only a loan has told is found', async () => {
  await projections.fold(
    event('account.created.v1', {
      account_id: 'A9',
      borrowers: [{ customer_id: 'C9', role: 'guarantor' }],
    }),
  );
  expect(await customer('C9')).toBe('C9');
  expect(await customer('A9')).toBe('C9');
});
