import { expect, test } from 'vitest';
import { namesErased } from './erased-names.ts';

const names = { customers: new Set(['7']), conversations: new Set(['V-1']), accounts: new Set(['A-1']) };
const named = (fields: Record<string, string>) => namesErased(fields, names);
const payload = (value: unknown) => ({ event_type: 'x', payload: JSON.stringify(value) });

test.each([
  { usr: '7' },
  { user_id: '7', payload: '{}' },
  { cid: 'V-1' },
  payload({ customer_id: '7' }),
  payload({ customer_id: 7 }),
  payload({ borrowers: [{ customer_id: '1' }, { id: '7' }] }),
  payload({ merged_customer_ids: ['5', '7'] }),
  payload({ loan_account_id: 'A-1' }),
  { dat: JSON.stringify(JSON.stringify({ customer_id: '7' })) },
  { payload: '{"customer_id": "7", "broken' },
  { customer_id: '7', amount: '5' },
])('%j is about somebody who is erased', (fields) => {
  expect(named(fields as Record<string, string>)).toBe(true);
});

test.each([
  { seq: '7', usr: '8' },
  { conv: '7' },
  payload({ payment_number: 7, status: '7', customer_id: '77' }),
  payload({ account_id: '7' }),
  { payload: '{"customer_id": "77", "broken' },
  { payload: '"7"' },
])('%j is not', (fields) => {
  expect(named(fields as Record<string, string>)).toBe(false);
});
