// Signed servicing events are in the database's inbox before they are answered, and are folded from there. Each event of
// a body is judged on its own. What nothing could be kept of is refused; what is in part kept is accepted, and tells of
// each event what became of it. One database round trip. While the database is away nothing is accepted.

import { readEventBody } from '../../shared/stream/event-body.ts';
import { keepEvents } from '../../shared/stream/keep-events.ts';
import type { KeptEvent } from '../../shared/stream/new-event.ts';
import { type RequestContext, refuse } from '../app.ts';
import { openDatabase } from '../database.ts';
import { RateLimit } from '../rate-limit.ts';
import type { WebhooksSettings } from './env.ts';
import { receiveSigned } from './signed-request.ts';

const bodyLimit = 1024 * 1024;

interface Judged {
  status: KeptEvent | 'invalid';
  event_id?: string;
  reason?: string;
}

export function createEventIntake() {
  let current: { settings: WebhooksSettings; rateLimit: RateLimit } | undefined;

  return async (c: RequestContext<WebhooksSettings>): Promise<Response> => {
    const settings = c.get('settings');
    if (current?.settings !== settings)
      current = { settings, rateLimit: new RateLimit(settings.rateLimitPerMinute) };
    const received = await receiveSigned(c, current.rateLimit, 'events', bodyLimit);
    if (received instanceof Response) return received;
    const { channel, body } = received;

    const read = readEventBody(body, settings.business.timeZone);
    if (!read.ok) {
      const { kind, reason } = read.refusal;
      if (kind === 'malformed') return refuse(c, 'malformed_body', { detail: reason });
      return refuse(c, 'invalid_request', { errors: [{ field: 'body', code: 'invalid', message: reason }] });
    }
    const readable = read.value.flatMap((event) => (event.ok ? [event.value] : []));
    const kept = await keepEvents(openDatabase(settings.database), readable, `http:${channel.name}`);
    let next = 0;
    const results = read.value.map((event): Judged => {
      if (!event.ok) return { status: 'invalid', reason: event.refusal };
      const status = kept[next++] as KeptEvent;
      const reason = status === 'conflict' && { reason: 'its id belongs to an event with other content' };
      return { status, event_id: event.value.id, ...reason };
    });
    count(c, channel.name, results);

    const held = results.some(({ status }) => status === 'accepted' || status === 'duplicate');
    const isConflict = results.every(({ status }) => status === 'conflict');
    if (held || (isConflict && channel.conflict === 200)) return c.json({ results }, held ? 202 : 200);
    return refuse(c, isConflict ? 'event_conflict' : 'invalid_request', {
      errors: results.map(({ status, reason = '' }, i) => ({
        field: String(i),
        code: status,
        message: reason,
      })),
    });
  };
}

/** Ids are the senders' own and may tell of people: they are counted and not logged. */
function count(c: RequestContext<WebhooksSettings>, channel: string, results: readonly Judged[]): void {
  const outcomes: Partial<Record<Judged['status'], number>> = {};
  for (const { status } of results) outcomes[status] = (outcomes[status] ?? 0) + 1;
  for (const [outcome, times] of Object.entries(outcomes))
    c.get('afterwards').counts.add('recoup_events_received_total', { channel, outcome }, times);
  c.get('log').info('events', { channel, ...outcomes });
}
