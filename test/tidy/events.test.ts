// The examples of docs/events.md are events as this version announces them.

import { describe, expect, test } from 'vitest';
import { approvalEvents } from '../../shared/approvals/events.ts';
import { authEvent } from '../../shared/audit/events.ts';
import { parseExactJson } from '../../shared/exact-json.ts';
import {
  paymentEvent,
  paymentFailed,
  paymentRecorded,
  paymentReversed,
} from '../../shared/payments/events.ts';
import { read } from './repository.ts';

const document = read('docs/events.md');
const examples = [...document.matchAll(/^```json\n(.*?)^```$/gms)].map(
  ([, text = '']) => parseExactJson(text) as Record<string, unknown>,
);
const schemas: Record<string, { parse(value: unknown): unknown }> = {
  'payment.recorded': paymentRecorded,
  'payment.reversed': paymentReversed,
  'payment.failed': paymentFailed,
  PAYMENT_RECEIVED: paymentEvent,
  PAYMENT_REVERSED: paymentEvent,
  PAYMENT_FAILED: paymentEvent,
  ...approvalEvents,
  ...Object.fromEntries(authEvent.def.shape.type.options.map((type) => [type, authEvent])),
};
const typeOf = (example: Record<string, unknown>) => String(example.event_type ?? example.type);

test('docs/events.md has an example of every event, and no other', () => {
  expect(examples.map(typeOf).sort()).toEqual(Object.keys(schemas).sort());
});

describe.each(examples.map((example) => ({ type: typeOf(example), example })))(
  'the example of $type',
  ({ type, example }) => {
    test('is one', () => {
      schemas[type]?.parse(example);
    });

    // Of payments alone there are two topics.
    if (schemas[type] === authEvent || schemas[type] === approvalEvents[type]) return;
    test('has the id of the same fact on the other topic', () => {
      const id = example.event_id ?? example.id;
      expect(examples.filter((other) => (other.event_id ?? other.id) === id)).toHaveLength(2);
    });
  },
);
