import { pgTable, text } from 'drizzle-orm/pg-core';
import { expect, test } from 'vitest';
import { type Database, DatabaseFault, tables } from './database.ts';

const cause = new Error('Key (reference_number)=(REF-1) already exists.');
const fault = (sqlState?: string) => new DatabaseFault('connect ECONNREFUSED', { sqlState, cause });

test.each<[string | undefined, string]>([
  [undefined, 'the database was not reached'],
  ['08006', 'the connection broke'],
  ['40001', 'a serialisation race was lost'],
  ['40P01', 'a deadlock was resolved at our expense'],
  ['53300', 'there are too many connections'],
  ['55P03', 'a lock was not available'],
  ['57014', 'the statement took too long'],
  ['57P01', 'the database is shutting down'],
])('%s is worth repeating: %s', (sqlState) => {
  expect(fault(sqlState).retryable).toBe(true);
});

test.each(['23505', '23514', '22003', '42501', '42P01', 'XX000', '00057'])('%s is not', (sqlState) => {
  expect(fault(sqlState).retryable).toBe(false);
});

test('the message shows a code and never what Postgres says about values', () => {
  expect(fault('23505').message).toBe('the database answered SQLSTATE 23505');
  expect(fault().message).toBe('connect ECONNREFUSED');
  expect(fault('23505').cause).toBe(cause);
});

test('a fault under a query builder arrives as it is, without the statement and its values', async () => {
  const away: Database = {
    query: () => Promise.reject(fault()),
    arrays: () => Promise.reject(fault('53300')),
  };
  const loans = pgTable('loans', { id: text('id') });
  await expect(tables(away).select().from(loans)).rejects.toMatchObject({
    name: 'DatabaseFault',
    sqlState: '53300',
  });
});
