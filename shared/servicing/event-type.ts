// What there is to know about a type of event: what its payload holds, which of it names nobody, and what it says about
// which aggregate. Everything else about folding is the same for all of them.

import type * as z from 'zod/mini';
import type { SenderTime } from '../stream/sender-time.ts';
import type { Json } from './registers.ts';

export const aggregateKinds = [
  ...(['customer', 'application', 'notification'] as const),
  ...([
    'account',
    'schedule',
    'account_payment',
    'received_payment',
    'statement',
    'approval',
    'case',
  ] as const),
  'conversation',
] as const;
export type AggregateKind = (typeof aggregateKinds)[number];

/** `<kind>:<id>` */
export type AggregateKey = `${AggregateKind}:${string}`;

/** Of the deployment. */
export interface Business {
  timeZone: string;
  /** Of amounts that come without one. */
  currency: string;
}

/** What an event says beside its payload. */
export interface Circumstances {
  eventId: string;
  conversationId: string | undefined;
  customerId: string | undefined;
  time: SenderTime | undefined;
  business: Business;
}

export interface Claim {
  kind: AggregateKind;
  id: string;
  /** It brings the aggregate into being: of several only the first counts. */
  creation?: boolean;
  /** Undefined values are not said. */
  values: Readonly<Record<string, Json | undefined>>;
  /** Where another order than the sender's time holds; it goes into the version in the time's place. */
  order?: string;
  /** A line of its own in the aggregate's list. */
  entry?: Entry;
}

/** What was said or found in a conversation. */
export interface Entry {
  kind: 'utterance' | 'summary' | 'assessment' | 'application' | 'decision' | 'noticeboard';
  author: string | undefined;
  content: string | undefined;
  detail: Json;
}

export interface EventType {
  schema: z.ZodMiniType;
  /**
   * Fields of the payload that name nobody, or what is left of it: what the law keeps, and what remains when the person
   * is erased. Read again it tells of the same aggregates.
   */
  facts: readonly string[] | ((payload: never) => Record<string, unknown>);
  /** The first claim is about the aggregate that the event belongs to. Throws UnreadableEvent. */
  claims(payload: never, at: Circumstances): Claim[];
}

/** Lets each type's `claims` know the shape of its own schema. */
export const eventType = <Schema extends z.ZodMiniType>(type: {
  schema: Schema;
  facts: readonly string[] | ((payload: z.output<Schema>) => Record<string, unknown>);
  claims(payload: z.output<Schema>, at: Circumstances): Claim[];
}): EventType => type as unknown as EventType;

/** The event cannot be read as what it says it is; the message may be shown to its sender. */
export class UnreadableEvent extends Error {
  override readonly name = 'UnreadableEvent';
}
