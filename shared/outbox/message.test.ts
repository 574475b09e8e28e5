import { expect, test } from 'vitest';
import { eventType } from './message.ts';

test('the type of an event is what its payload calls event_type at the top', () => {
  expect(eventType('{"event_id" : "1", "event_type" : "payment.recorded", "payment" : {}}')).toBe(
    'payment.recorded',
  );
  expect(eventType('{"payment": {"event_type": "nested"}}')).toBe(undefined);
});

test('in payment.lifecycle it is what the payload calls type', () => {
  expect(eventType('{"id":"1","type":"PAYMENT_RECEIVED"}')).toBe('PAYMENT_RECEIVED');
  expect(eventType('{"event_type":"payment.recorded","type":"other"}')).toBe('payment.recorded');
});

test.each(['', 'text', 'null', '7', '[]', '{"event_type": 7}'])('a payload %j has no type', (payload) => {
  expect(eventType(payload)).toBe(undefined);
});
