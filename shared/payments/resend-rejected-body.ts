// Staff send a body again that was signed and could not be read: as it is after something was mended, or corrected. The
// channel's scheme reads it like any other. Or they dismiss it. The first decision stands.

import type { Database } from '../database.ts';
import { ok, type Result, refused } from '../result.ts';
import { type Arrival, type Outcome, recordArrivals } from './arrival.ts';
import { type Channel, channelBringing, schemeOf } from './channel.ts';
import type { BodyRefusal } from './payment-body.ts';
import type { Business } from './payment-fields.ts';
import { maskBody, type RejectedBodyStatus } from './rejected-body.ts';
import { rejectedBodyOf, saveRejectedBodyDecision } from './store.ts';

export type RejectedBodyRefusal =
  | { kind: 'unknown_body' }
  | { kind: 'already_decided'; status: RejectedBodyStatus }
  /** Its channel is not configured any more. */
  | { kind: 'unknown_channel' }
  /** Masking has changed its text, so it does not say what was sent. */
  | { kind: 'altered' }
  | { kind: 'unreadable'; refusal: BodyRefusal }
  /** It can be read, and nothing in it is to be recorded. */
  | { kind: 'nothing_in_it' };

interface Resending {
  id: string;
  /** In place of what was kept. */
  corrected: string | null;
  actor: string;
}

/**
 * Records what is in it, then keeps the decision. Safe to repeat: killed in between, it is still open, and sending it
 * again finds duplicates. Each arrival names who sent it again as its actor. Throws DatabaseFault.
 */
export async function resendRejectedBody(
  db: Database,
  { id, corrected, actor }: Resending,
  channels: ReadonlyMap<string, Channel>,
  business: Business,
): Promise<Result<Array<{ kind: Arrival['kind'] } & Outcome>, RejectedBodyRefusal>> {
  const held = await rejectedBodyOf(db, id);
  if (!held) return refused({ kind: 'unknown_body' });
  if (held.status !== 'open') return refused({ kind: 'already_decided', status: held.status });
  const channel = channelBringing('payments', channels, held.channel);
  if (!channel) return refused({ kind: 'unknown_channel' });
  if (corrected === null && held.altered) return refused({ kind: 'altered' });

  const scheme = schemeOf(channel);
  const parsed = scheme.parse(new TextEncoder().encode(corrected ?? held.body), channel, business);
  const refusal = parsed.ok ? parsed.value.rejected[0]?.refusal : parsed.refusal;
  if (refusal || !parsed.ok) return refused({ kind: 'unreadable', refusal: refusal as BodyRefusal });
  if (parsed.value.arrivals.length === 0) return refused({ kind: 'nothing_in_it' });

  const arrivals = parsed.value.arrivals.map((arrival) => by(actor, arrival));
  const outcomes = await recordArrivals(db, arrivals);
  const resentBody = corrected === null ? null : maskBody(corrected, scheme.identifiers).body;
  await saveRejectedBodyDecision(db, { id, status: 'resent', reason: null, resentBody, actor });
  return ok(arrivals.map(({ kind }, i) => ({ kind, ...(outcomes[i] as Outcome) })));
}

function by(actor: string, arrival: Arrival): Arrival {
  switch (arrival.kind) {
    case 'payment':
      return { ...arrival, payment: { ...arrival.payment, actor } };
    case 'reversal':
      return { ...arrival, reversal: { ...arrival.reversal, actor } };
    case 'failure':
      return { ...arrival, failure: { ...arrival.failure, actor } };
    case 'notice':
      return { ...arrival, notice: { ...arrival.notice, actor } };
  }
}

/** Asked again it is the same; one that was sent again is not dismissed any more. */
export async function dismissRejectedBody(
  db: Database,
  { id, reason, actor }: { id: string; reason: string; actor: string },
): Promise<Result<undefined, RejectedBodyRefusal>> {
  const before = await saveRejectedBodyDecision(db, {
    id,
    status: 'dismissed',
    reason,
    resentBody: null,
    actor,
  });
  if (before === undefined) return refused({ kind: 'unknown_body' });
  return before === 'resent' ? refused({ kind: 'already_decided', status: before }) : ok(undefined);
}
