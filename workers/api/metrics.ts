// GET /metrics for Prometheus: what the isolates counted (summed in Redis) and what the database knows. With Redis
// or the database away the rest is still answered; the missing half is told by recoup_up.

import { bySeries, exposition, type Sample, series } from '../../shared/metrics.ts';
import { readSystemState, type SystemState } from '../../shared/read/health.ts';
import type { RequestContext } from '../app.ts';
import { openDatabase } from '../database.ts';
import { countsKey, openRedis } from '../redis.ts';
import type { ApiSettings } from './env.ts';

const timeoutMs = 2_000;

const about = {
  recoup_up: { type: 'gauge', help: 'Whether a part answered this scrape.' },
  recoup_http_requests_total: { type: 'counter', help: 'Requests by Worker, route and status.' },
  recoup_http_request_duration_seconds: {
    type: 'histogram',
    help: 'Time to the answer by Worker and route.',
  },
  recoup_webhook_payments_total: {
    type: 'counter',
    help: 'Verified webhook payments by channel and outcome.',
  },
  recoup_webhook_events_total: {
    type: 'counter',
    help: 'Verified reversals, failures and notices by channel, kind and outcome.',
  },
  recoup_webhook_ignored_total: {
    type: 'counter',
    help: 'Verified events that are no payment by channel and type.',
  },
  recoup_webhook_rejected_total: {
    type: 'counter',
    help: 'Signed bodies or parts of them that could not be read.',
  },
  recoup_dedup_lookups_total: { type: 'counter', help: 'Deduplication look-ups by layer and result.' },
  recoup_staging_backlog: { type: 'gauge', help: 'Staged rows not yet processed.' },
  recoup_outbox_waiting: { type: 'gauge', help: 'Messages still to be delivered by destination.' },
  recoup_outbox_oldest_seconds: { type: 'gauge', help: 'Age of the oldest message still to be delivered.' },
  recoup_container_healthy: { type: 'gauge', help: 'What a container last said of itself.' },
  recoup_container_silent_seconds: { type: 'gauge', help: 'Time since a container was last heard of.' },
  recoup_container_detail: { type: 'gauge', help: 'Numbers of a container heartbeat by name.' },
};

const ofState = ({ stagingBacklog, outbox, pulses }: SystemState): Sample[] => [
  { series: 'recoup_staging_backlog', value: stagingBacklog },
  ...outbox.flatMap(({ destination, waiting, oldestSeconds }) => [
    { series: series('recoup_outbox_waiting', { destination }), value: waiting },
    { series: series('recoup_outbox_oldest_seconds', { destination }), value: oldestSeconds },
  ]),
  ...pulses.flatMap(({ process, instance, healthy, ageSeconds, detail }) => [
    { series: series('recoup_container_healthy', { process, instance }), value: healthy ? 1 : 0 },
    { series: series('recoup_container_silent_seconds', { process, instance }), value: ageSeconds },
    ...Object.entries(detail).flatMap(([name, value]) =>
      typeof value === 'number'
        ? [{ series: series('recoup_container_detail', { process, instance, name }), value }]
        : [],
    ),
  ]),
];

/** A hash as the client answers it without deserialising: names and values in turn, null when there is none. */
function pairs(answer: unknown): Sample[] {
  const flat = (answer ?? []) as string[];
  return flat.flatMap((name, i) => (i % 2 === 0 ? [{ series: name, value: Number(flat[i + 1]) }] : []));
}

export async function metrics(c: RequestContext<ApiSettings>): Promise<Response> {
  const { database, redis } = c.get('settings');
  const [state, counts] = await Promise.all([
    readSystemState(openDatabase({ ...database, timeoutMs })).catch(() => undefined),
    openRedis(redis, timeoutMs)
      .hgetall(countsKey)
      .then(pairs)
      .catch(() => undefined),
  ]);
  const counted = (counts ?? []).toSorted(bySeries);
  const up = [
    { series: series('recoup_up', { part: 'database' }), value: state ? 1 : 0 },
    { series: series('recoup_up', { part: 'redis' }), value: counts ? 1 : 0 },
  ];
  const text = exposition([...up, ...counted, ...(state ? ofState(state) : [])], about);
  return c.body(text, 200, { 'content-type': 'text/plain; version=0.0.4', 'cache-control': 'no-store' });
}
