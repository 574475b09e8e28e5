import { expect, test } from 'vitest';
import { parseExactJson } from '../exact-json.ts';
import { paymentRecorded } from './events.ts';

const event = {
  event_id: '2ed6657d-e927-568b-95e1-2665a8aea6a2',
  event_type: 'payment.recorded',
  timestamp: '2026-11-23T10:15:30.123Z',
  payment: {
    id: '886313e1-3b8a-5372-9b90-0c9aee199e5d',
    reference_number: 'REF-1',
    loan_account_number: 'LN-1',
    cif: 'CIF-1',
    amount: 100.5,
    currency: 'EUR',
    payment_date: '2026-11-23T00:00:00.000Z',
    payment_channel: 'SEPA',
    source: 'webhook',
    metadata: { rate: 1.5 },
  },
};
const isEvent = (value: unknown) => paymentRecorded.safeParse(parseExactJson(JSON.stringify(value))).success;
const withPayment = (over: object) => ({ ...event, payment: { ...event.payment, ...over } });

test('the event keeps the digits of its amount', () => {
  const text = JSON.stringify(event).replace('100.5', '100.50');
  const { payment } = paymentRecorded.parse(parseExactJson(text));
  expect(payment.amount.rawJSON).toBe('100.50');
  expect(JSON.stringify(payment.metadata)).toBe('{"rate":1.5}');
});

test('an amount that went through JSON.parse is not taken for an exact one', () => {
  expect(paymentRecorded.safeParse(event).success).toBe(false);
});

test.each([
  ['another type', { ...event, event_type: 'payment.reversed' }],
  ['an id that is none', { ...event, event_id: '7' }],
  ['a time without milliseconds', { ...event, timestamp: '2026-11-23T10:15:30Z' }],
  ['a time with an offset', { ...event, timestamp: '2026-11-23T10:15:30.123+01:00' }],
  ['a date alone', withPayment({ payment_date: '2026-11-23' })],
  ['an amount as text', withPayment({ amount: '100.50' })],
  ['a source that nobody knows', withPayment({ source: 'fax' })],
  ['a currency of four letters', withPayment({ currency: 'EURO' })],
  ['a list as metadata', withPayment({ metadata: [] })],
  ['a number as metadata', withPayment({ metadata: 7 })],
  ['a field too many', withPayment({ iban: 'DE00' })],
  ['a field too few', withPayment({ cif: undefined })],
])('%s is not the event that was agreed upon', (_, value) => {
  expect(isEvent(event)).toBe(true);
  expect(isEvent(value)).toBe(false);
});
