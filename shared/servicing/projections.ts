// The projection of each kind of aggregate.

import { type AggregateKind, aggregateKinds } from './event-type.ts';
import type { Projection } from './projection.ts';
import { account } from './projections/account.ts';
import { application, conversation } from './projections/conversation.ts';
import { customer } from './projections/customer.ts';
import { approval, collectionCase, notification, statement } from './projections/operations.ts';
import { accountPayment, receivedPayment } from './projections/payments.ts';
import { schedule } from './projections/schedule.ts';

export const projections: Readonly<Record<AggregateKind, Projection>> = {
  customer,
  application,
  notification,
  account,
  schedule,
  account_payment: accountPayment,
  received_payment: receivedPayment,
  statement,
  approval,
  case: collectionCase,
  conversation,
};

export type ProjectionGroup = Projection['group'];
export const projectionGroups = [
  'customers',
  'accounts',
  'conversations',
] as const satisfies ProjectionGroup[];

export const kindsOf = (groups: readonly ProjectionGroup[]): AggregateKind[] =>
  aggregateKinds.filter((kind) => groups.includes(projections[kind].group));
