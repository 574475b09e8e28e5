// Every type of event that is folded. A type that is not here is kept in the archive all the same; adding its fold and
// rebuilding picks it up.

import type { EventType } from './event-type.ts';
import { accountEvents } from './events/accounts.ts';
import { assessment, conversationEvents, isAssessment } from './events/conversations.ts';
import { customerEvents } from './events/customers.ts';
import { operationEvents } from './events/operations.ts';
import { paymentEvents } from './events/payments.ts';

export const eventTypes: Readonly<Record<string, EventType>> = {
  ...accountEvents,
  ...customerEvents,
  ...conversationEvents,
  ...operationEvents,
  ...paymentEvents,
};

export function typeOf(name: string): EventType | undefined {
  if (Object.hasOwn(eventTypes, name)) return eventTypes[name];
  return isAssessment(name) ? assessment(name) : undefined;
}
