// A signed webhook becomes what it brings: payments, reversals, failures, notices. Once the request has passed its checks
// the body is read. One database round trip on the way to a payment's answer.

import type { Database } from '../../shared/database.ts';
import { errorFields } from '../../shared/log.ts';
import type { Outcome } from '../../shared/payments/arrival.ts';
import { type Channel, schemeOf } from '../../shared/payments/channel.ts';
import type { Recorded } from '../../shared/payments/payment.ts';
import type { BodyRefusal } from '../../shared/payments/payment-body.ts';
import type { Parsed } from '../../shared/payments/scheme.ts';
import { type RequestContext, refuse } from '../app.ts';
import { openDatabase } from '../database.ts';
import { RateLimit } from '../rate-limit.ts';
import { type Accepted, acceptDuringOutage } from './accept-arrivals.ts';
import type { WebhooksSettings } from './env.ts';
import { createGuard, type Guard, noGuard } from './guard.ts';
import { keepRejected } from './keep-rejected.ts';
import { recordAll } from './record-arrivals.ts';
import { createRecorder, type RecordPayment } from './record-payment.ts';
import { receiveSigned, refuseSignature } from './signed-request.ts';

type Ctx = RequestContext<WebhooksSettings>;
/** What became of an arrival, or that it is kept until it can be recorded. */
type Answered = Outcome | Accepted;

/** What an isolate keeps between requests: plain data only, no connections. */
interface Kept {
  settings: WebhooksSettings;
  rateLimit: RateLimit;
  guard: Guard;
  record: RecordPayment;
  db: Database;
}

export function createPaymentWebhook() {
  let current: Kept | undefined;
  const keep = (settings: WebhooksSettings): Kept => {
    // Without the outage path a fault is the answer; with it, nobody waits for it again and again.
    const guard = settings.accepted ? createGuard() : noGuard;
    const rateLimit = new RateLimit(settings.rateLimitPerMinute);
    const db = openDatabase(settings.database);
    return { settings, rateLimit, guard, record: createRecorder(settings, guard), db };
  };

  return async (c: Ctx): Promise<Response> => {
    const settings = c.get('settings');
    const kept = current?.settings === settings ? current : keep(settings);
    current = kept;

    const received = await receiveSigned(c, kept.rateLimit, 'payments');
    if (received instanceof Response) return received;
    const { channel, body, signed } = received;
    c.set('channel', channel.name);

    const scheme = schemeOf(channel);
    const parsed = scheme.parse(signed?.body ?? body, channel, settings.business);
    if (!parsed.ok) {
      const { refusal } = parsed;
      // The sender is told in any case, and sends it again.
      await keepRejected(c, channel, [{ body, refusal }]).catch((error) =>
        c.get('log').error('rejected_body_not_kept', errorFields(error)),
      );
      return refuseBody(c, refusal);
    }
    const { arrivals, rejected } = parsed.value;
    const outcomes = await acceptDuringOutage(settings, c.get('log'), arrivals, () =>
      recordAll(arrivals, { ...kept, afterwards: c.get('afterwards') }),
    );
    // A part that is not kept must not be answered as if it were.
    if (rejected.length > 0) await keepRejected(c, channel, rejected);
    count(c, channel, parsed.value, outcomes);
    // The parts that are not signed remain with the sender; the others will be duplicates.
    if (signed?.unsigned) return refuseSignature(c, channel, 'mismatch');
    return scheme.single
      ? answerSingle(c, channel, outcomes[0] as Recorded | Accepted)
      : answer(c, channel, parsed.value, outcomes);
  };
}

const refuseBody = (c: Ctx, refusal: BodyRefusal): Response =>
  refusal.kind === 'malformed'
    ? refuse(c, 'malformed_body', { detail: refusal.reason })
    : refuse(c, 'invalid_request', { errors: refusal.faults });

function count(c: Ctx, channel: Channel, { arrivals, ignored }: Parsed, outcomes: readonly Answered[]): void {
  const { counts } = c.get('afterwards');
  const { ignoredTypes } = schemeOf(channel);
  arrivals.forEach(({ kind }, i) => {
    const { outcome } = outcomes[i] as Answered;
    if (kind === 'payment') counts.add('recoup_webhook_payments_total', { channel: channel.name, outcome });
    else counts.add('recoup_webhook_events_total', { channel: channel.name, kind, outcome });
    c.get('log').info(kind, { channel: channel.name, ...idsOf(outcomes[i] as Answered), outcome });
  });
  for (const type of ignored) {
    const known = ignoredTypes.includes(type) ? type : 'other';
    counts.add('recoup_webhook_ignored_total', { channel: channel.name, type: known });
  }
}

const idsOf = (outcome: Answered) => ({
  ...('paymentId' in outcome && outcome.paymentId ? { payment_id: outcome.paymentId } : {}),
  ...('conflictId' in outcome ? { conflict_id: outcome.conflictId } : {}),
  ...('reversalId' in outcome && outcome.reversalId ? { reversal_id: outcome.reversalId } : {}),
});

const refuseConflict = (c: Ctx, { paymentId, conflictId }: Extract<Recorded, { outcome: 'conflict' }>) =>
  refuse(c, 'payment_conflict', { members: { payment_id: paymentId, conflict_id: conflictId } });

const statuses = { created: 201, duplicate: 200, conflict: 200, accepted: 202 } as const;

function answerSingle(c: Ctx, channel: Channel, recorded: Recorded | Accepted): Response {
  if (recorded.outcome === 'conflict' && channel.conflict === 409) return refuseConflict(c, recorded);
  const { outcome } = recorded;
  return c.json({ status: outcome, ...idsOf(recorded) }, statuses[outcome]);
}

/** What a provider reads: that it need not send this again, whatever became of it. */
function answer(
  c: Ctx,
  channel: Channel,
  { arrivals, ignored, rejected }: Parsed,
  outcomes: readonly Answered[],
): Response {
  const conflict = outcomes.find((outcome) => 'conflictId' in outcome);
  if (conflict && channel.conflict === 409) return refuseConflict(c, conflict);
  const { acknowledgement } = schemeOf(channel);
  if (acknowledgement !== undefined) return c.text(acknowledgement);
  const results = arrivals.map(({ kind }, i) => {
    const outcome = outcomes[i] as Answered;
    return { kind, status: outcome.outcome, ...idsOf(outcome) };
  });
  const waits = outcomes.some(({ outcome }) => outcome === 'accepted');
  const body = { status: 'accepted', results, ignored: ignored.length, rejected: rejected.length };
  return c.json(body, waits ? 202 : 200);
}
