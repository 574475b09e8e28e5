import fc from 'fast-check';
import { expect, test } from 'vitest';
import { eventTypes } from './event-types.ts';
import { anyDelivery, anyEvents, picture, randomTypes, sorted } from './projections/testing.ts';
import { incoming } from './testing.ts';

const inAnyWay = anyEvents(25).chain((events) => {
  const batch = sorted(events).map((one) => incoming(one));
  return fc.record({ batch: fc.constant(batch), delivery: anyDelivery(batch) });
});

test('random events are of every type that is folded', () => {
  const alike = ['final_credit_decision'];
  expect(Object.keys(eventTypes).filter((type) => !randomTypes.includes(type))).toEqual(alike);
});

test('the same events in any order, any batches and any repetition end in the same projections', () => {
  fc.assert(
    fc.property(inAnyWay, ({ batch, delivery }) => {
      expect(picture(delivery)).toEqual(picture([batch]));
    }),
    { numRuns: 600 },
  );
});
