// docs/servicing.md names every type of event that is read, and every field that its schema has.

import { expect, test } from 'vitest';
import type { EventType } from '../../shared/servicing/event-type.ts';
import { accountEvents } from '../../shared/servicing/events/accounts.ts';
import { conversationEvents } from '../../shared/servicing/events/conversations.ts';
import { customerEvents } from '../../shared/servicing/events/customers.ts';
import { operationEvents } from '../../shared/servicing/events/operations.ts';
import { paymentEvents } from '../../shared/servicing/events/payments.ts';
import { namesIn, read } from './repository.ts';

const guide = read('docs/servicing.md');
const events = guide.slice(
  guide.indexOf('## Events and their fields'),
  guide.indexOf('## Order and repetition'),
);
const named = new Set(namesIn(events, /`([A-Za-z_.0-9]+)`/g));
const shapeOf = ({ schema }: EventType) => Object.keys((schema as unknown as { shape: object }).shape);

const types = {
  ...customerEvents,
  ...accountEvents,
  ...conversationEvents,
  ...operationEvents,
  ...paymentEvents,
};

test.each(Object.entries(types))('%s is in the guide, with its fields', (type, eventType) => {
  expect(named).toContain(type);
  // What our own log says is told by docs/events.md; amounts have their currency everywhere.
  if (type.startsWith('payment.re')) return;
  for (const field of shapeOf(eventType)) if (field !== 'currency') expect(named, type).toContain(field);
});

test('the guide names no type that nobody reads', () => {
  const listed = namesIn(events, /`([a-z]+(?:\.[a-z_]+)+\.v1)`/g);
  expect(listed.length).toBeGreaterThan(20);
  for (const type of listed) expect(Object.keys(types)).toContain(type);
});
