// A stream's event becomes what it says: claims about aggregates, the facts that name nobody, and whose it is. Pure. An
// event of a type that nobody handles says nothing and is kept all the same.

import { canonicalJson } from '../canonical-json.ts';
import { isNumberSource, readExactJson } from '../exact-json.ts';
import { ok, type Result, refused } from '../result.ts';
import { isName, type StreamEvent } from '../stream/envelope.ts';
import {
  type AggregateKey,
  type Business,
  type Claim,
  type EventType,
  UnreadableEvent,
} from './event-type.ts';
import { typeOf } from './event-types.ts';

/**
 * Whose key seals it, so that erasing a person takes it: the customer, else the conversation, else the account. Payments
 * of our own log know the customer by the bank's key: `cif:<key>`.
 */
type Subject = string;

export interface ReadEvent {
  event: StreamEvent;
  handled: boolean;
  claims: readonly Claim[];
  /** What it is kept under in the archive: the aggregate of its first claim, or its type when nobody handles that. */
  aggregate: AggregateKey | `unhandled:${string}`;
  /** Further aggregates that it says something about. */
  related: readonly AggregateKey[];
  subject: Subject;
  /** JSON of what names nobody. */
  facts: string;
}

export const keyOf = ({ kind, id }: Pick<Claim, 'kind' | 'id'>): AggregateKey => `${kind}:${id}`;

export function readEvent(event: StreamEvent, business: Business): Result<ReadEvent, string> {
  const type = typeOf(event.type);
  if (!type) {
    const aggregate = `unhandled:${event.type}` as const;
    return ok({
      event,
      handled: false,
      claims: [],
      aggregate,
      related: [],
      subject: subjectOf(event, aggregate),
      facts: factsOf(event, {}),
    });
  }
  const parsed = type.schema.safeParse(event.payload);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return refused(`${issue?.path.join('.') || 'its payload'}: ${issue?.message ?? 'cannot be read'}`);
  }
  try {
    const { id: eventId, conversationId, customerId, time } = event;
    const said = type.claims(parsed.data as never, { eventId, conversationId, customerId, time, business });
    const claims = said.map((claim) => ({ ...claim, values: defined(claim.values) }));
    const [aggregate, ...related] = claims.map(keyOf) as [AggregateKey, ...AggregateKey[]];
    return ok({
      event,
      handled: true,
      claims,
      aggregate,
      related: [...new Set(related)].filter((key) => key !== aggregate),
      subject: subjectOf(event, aggregate),
      facts: factsOf(event, leave(type, parsed.data as Record<string, unknown>)),
    });
  } catch (error) {
    if (error instanceof UnreadableEvent) return refused(error.message);
    throw error;
  }
}

/** The whole event as it is sealed. */
export const writeWhole = (event: StreamEvent): string =>
  `${JSON.stringify({ ...named(event), sender: event.sender }).slice(0, -1)}${hasNames(event) ? ',' : ''}"payload":${event.payloadText}}`;

const hasNames = ({ conversationId, customerId, sender }: StreamEvent) =>
  (conversationId ?? customerId ?? sender) !== undefined;

/** An event out of the archive: whole, or what its facts leave of it. */
export function readArchived(
  kept: { eventId: string; type: string; time: string | undefined },
  text: string,
): StreamEvent {
  const parsed = readExactJson(text) as Partial<StreamEvent>;
  const payload = parsed.payload ?? {};
  return {
    id: kept.eventId,
    type: kept.type,
    time: kept.time,
    conversationId: parsed.conversationId,
    customerId: parsed.customerId,
    sender: parsed.sender,
    payload,
    payloadText: canonicalJson(payload),
    payloadHash: '',
  };
}

const named = ({ conversationId, customerId }: StreamEvent) => ({
  ...(conversationId === undefined ? {} : { conversationId }),
  ...(customerId === undefined ? {} : { customerId }),
});

const factsOf = (event: StreamEvent, facts: Record<string, unknown>): string =>
  JSON.stringify({ ...named(event), payload: facts });

function leave({ facts }: EventType, payload: Record<string, unknown>): Record<string, unknown> {
  return typeof facts === 'function'
    ? facts(payload as never)
    : Object.fromEntries(facts.map((name) => [name, payload[name]]));
}

function defined(values: Claim['values']): Claim['values'] {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

function subjectOf({ payload, customerId, conversationId }: StreamEvent, aggregate: string): Subject {
  const own = (name: string) => nameIn(payload, name);
  const customer = own('customer_id') ?? own('surviving_customer_id') ?? customerId;
  if (customer !== undefined) return `customer:${customer}`;
  const conversation = own('conversation_id') ?? conversationId;
  if (conversation !== undefined) return `conversation:${conversation}`;
  const account = own('account_id') ?? own('loan_account_id');
  if (account !== undefined) return `account:${account}`;
  const cif = nameIn(payload.payment, 'cif');
  return cif === undefined ? aggregate : `cif:${cif}`;
}

function nameIn(object: unknown, name: string): string | undefined {
  const value = (object as Record<string, unknown> | undefined)?.[name];
  const text = isNumberSource(value) ? value.rawJSON : value;
  return typeof text === 'string' && isName(text) ? text : undefined;
}
