// GET /metrics for Prometheus: what the isolates counted (summed in Redis) and what the database knows. With Redis
// or the database away the rest is still answered; the missing half is told by recoup_up.

import { bySeries, exposition, type Sample, series } from '../../shared/metrics.ts';
import { eventState, readSystemState, type SystemState } from '../../shared/read/health.ts';
import { dayBegan, readStats, type Stats } from '../../shared/read/stats.ts';
import { monthsAhead, readStorage, type Storage } from '../../shared/read/storage.ts';
import type { RequestContext } from '../app.ts';
import { openDatabase } from '../database.ts';
import { countsKey, openRedis, readCounts } from '../redis.ts';
import type { ApiSettings } from './env.ts';

const timeoutMs = 2_000;

/** Every metric there is, with the labels that it always has. */
export const about = {
  recoup_up: { type: 'gauge', labels: ['part'], help: 'Whether a part answered this scrape.' },
  recoup_http_requests_total: {
    type: 'counter',
    labels: ['worker', 'route', 'status'],
    help: 'Requests by Worker, route and status.',
  },
  recoup_http_request_duration_seconds: {
    type: 'histogram',
    labels: ['worker', 'route'],
    help: 'Time to the answer by Worker and route.',
  },
  recoup_webhook_payments_total: {
    type: 'counter',
    labels: ['channel', 'outcome'],
    help: 'Verified webhook payments by channel and outcome.',
  },
  recoup_webhook_events_total: {
    type: 'counter',
    labels: ['channel', 'kind', 'outcome'],
    help: 'Verified reversals, failures and notices by channel, kind and outcome.',
  },
  recoup_webhook_ignored_total: {
    type: 'counter',
    labels: ['channel', 'type'],
    help: 'Verified events that are no payment by channel and type.',
  },
  recoup_webhook_rejected_total: {
    type: 'counter',
    labels: ['channel'],
    help: 'Signed bodies or parts of them that could not be read.',
  },
  recoup_events_received_total: {
    type: 'counter',
    labels: ['channel', 'outcome'],
    help: 'Servicing events of verified bodies by channel and outcome.',
  },
  recoup_webhook_duration_seconds: {
    type: 'histogram',
    labels: ['channel'],
    help: 'Time to the answer of verified webhooks by channel, whatever the answer.',
  },
  recoup_dedup_lookups_total: {
    type: 'counter',
    labels: ['layer', 'result'],
    help: 'Deduplication look-ups by layer and result.',
  },
  recoup_staging_backlog: { type: 'gauge', labels: [], help: 'Staged rows not yet processed.' },
  recoup_staging_rows_total: {
    type: 'counter',
    labels: ['outcome'],
    help: 'Staged rows processed by outcome; begins anew with each business day.',
  },
  recoup_staging_rows_per_second: {
    type: 'gauge',
    labels: [],
    help: 'Staged rows processed, over the last minute.',
  },
  recoup_conflicts_open: { type: 'gauge', labels: [], help: 'Payment conflicts that nobody has decided.' },
  recoup_outbox_waiting: {
    type: 'gauge',
    labels: ['destination'],
    help: 'Messages still to be delivered by destination.',
  },
  recoup_outbox_oldest_seconds: {
    type: 'gauge',
    labels: ['destination'],
    help: 'Age of the oldest message still to be delivered.',
  },
  recoup_audit_unsealed: { type: 'gauge', labels: [], help: 'Entries of the audit trail without a seal.' },
  recoup_audit_unsealed_seconds: {
    type: 'gauge',
    labels: [],
    help: 'Age of the oldest entry of the audit trail without a seal.',
  },
  recoup_container_healthy: {
    type: 'gauge',
    labels: ['process', 'instance'],
    help: 'What a container last said of itself.',
  },
  recoup_container_silent_seconds: {
    type: 'gauge',
    labels: ['process', 'instance'],
    help: 'Time since a container was last heard of.',
  },
  recoup_container_detail: {
    type: 'gauge',
    labels: ['process', 'instance', 'name'],
    help: 'Numbers of a container heartbeat by name.',
  },
  recoup_stream_waiting: {
    type: 'gauge',
    labels: ['stream'],
    help: 'Servicing events that no projector has read yet by stream, topic or table.',
  },
  recoup_stream_pending: {
    type: 'gauge',
    labels: ['stream'],
    help: 'Servicing events that a projector has read and not settled.',
  },
  recoup_stream_oldest_pending_seconds: {
    type: 'gauge',
    labels: ['stream'],
    help: 'Age of the oldest of these.',
  },
  recoup_stream_kept: {
    type: 'gauge',
    labels: ['stream'],
    help: 'Entries of a stream that the projector trims, settled ones that it has not trimmed yet included.',
  },
  recoup_events_folded_total: {
    type: 'counter',
    labels: ['process', 'instance'],
    help: 'Events that a projector has folded.',
  },
  recoup_events_duplicates_total: {
    type: 'counter',
    labels: ['process', 'instance'],
    help: 'Events that had been folded before.',
  },
  recoup_events_conflicts_total: {
    type: 'counter',
    labels: ['process', 'instance'],
    help: 'Events with the id of another event.',
  },
  recoup_events_buried_total: {
    type: 'counter',
    labels: ['process', 'instance'],
    help: 'Events that could not be read or folded.',
  },
  recoup_events_unhandled_total: {
    type: 'counter',
    labels: ['type'],
    help: 'Events of types that nothing is done about, by type.',
  },
  recoup_dead_letters_waiting: {
    type: 'gauge',
    labels: [],
    help: 'Dead letters that nobody has decided about.',
  },
  recoup_publish_attempts_total: {
    type: 'counter',
    labels: ['process', 'instance'],
    help: 'Batches that a publisher took to the log.',
  },
  recoup_publish_failures_total: {
    type: 'counter',
    labels: ['process', 'instance'],
    help: 'Of those, batches that the log did not confirm.',
  },
  recoup_pool_max: {
    type: 'gauge',
    labels: ['process', 'instance'],
    help: 'Database connections that a container may have.',
  },
  recoup_pool_in_use: {
    type: 'gauge',
    labels: ['process', 'instance'],
    help: 'Database connections at work at the last heartbeat.',
  },
  recoup_pool_waiting: {
    type: 'gauge',
    labels: ['process', 'instance'],
    help: 'Pieces of work waiting for a connection at the last heartbeat.',
  },
  recoup_partition_bytes: {
    type: 'gauge',
    labels: ['partition'],
    help: 'Size of a partition of the payments with its indexes.',
  },
  recoup_partition_rows: {
    type: 'gauge',
    labels: ['partition'],
    help: 'Rows of a partition as of its last analysis.',
  },
  recoup_partitions_ahead: { type: 'gauge', labels: [], help: 'Coming months that have their partition.' },
  recoup_database_bytes: { type: 'gauge', labels: [], help: 'Size of the whole database.' },
  recoup_space_used_ratio: {
    type: 'gauge',
    labels: [],
    help: 'Size of the database by DATABASE_SPACE_LIMIT_MIB.',
  },
} as const;

/** Numbers of heartbeats with a metric of their own, `recoup_` before the name; the others are details. */
export const heartbeatMetrics = [
  'publish_attempts_total',
  'publish_failures_total',
  'events_folded_total',
  'events_duplicates_total',
  'events_conflicts_total',
  'events_buried_total',
  'pool_max',
  'pool_in_use',
  'pool_waiting',
];

const ofState = ({ stagingBacklog, outbox, pulses, unsealed }: SystemState): Sample[] => [
  { series: 'recoup_staging_backlog', value: stagingBacklog },
  { series: 'recoup_audit_unsealed', value: unsealed.entries },
  { series: 'recoup_audit_unsealed_seconds', value: unsealed.oldestSeconds },
  ...outbox.flatMap(({ destination, waiting, oldestSeconds }) => [
    { series: series('recoup_outbox_waiting', { destination }), value: waiting },
    { series: series('recoup_outbox_oldest_seconds', { destination }), value: oldestSeconds },
  ]),
  ...pulses.flatMap(({ process, instance, healthy, ageSeconds, detail }) => [
    { series: series('recoup_container_healthy', { process, instance }), value: healthy ? 1 : 0 },
    { series: series('recoup_container_silent_seconds', { process, instance }), value: ageSeconds },
    ...Object.entries(detail).flatMap(([name, value]) => {
      if (typeof value !== 'number') return [];
      const of = { process, instance };
      return heartbeatMetrics.includes(name)
        ? [{ series: series(`recoup_${name}`, of), value }]
        : [{ series: series('recoup_container_detail', { ...of, name }), value }];
    }),
  ]),
];

const ofEvents = ({ pulses }: SystemState): Sample[] => {
  const { streams, unhandled, deadLetters } = eventState(pulses);
  return [
    ...(streams ?? []).flatMap(({ stream, waiting, pending, oldestPendingSeconds, kept }) => [
      { series: series('recoup_stream_waiting', { stream }), value: waiting },
      { series: series('recoup_stream_pending', { stream }), value: pending },
      { series: series('recoup_stream_oldest_pending_seconds', { stream }), value: oldestPendingSeconds },
      ...(kept === null ? [] : [{ series: series('recoup_stream_kept', { stream }), value: kept }]),
    ]),
    ...Object.entries(unhandled).map(([type, value]) => ({
      series: series('recoup_events_unhandled_total', { type }),
      value,
    })),
    ...(deadLetters === null ? [] : [{ series: 'recoup_dead_letters_waiting', value: deadLetters }]),
  ];
};

const ofStats = ({ staging, openConflicts }: Stats): Sample[] => [
  ...Object.entries(staging.rows).map(([outcome, value]) => ({
    series: series('recoup_staging_rows_total', { outcome }),
    value,
  })),
  { series: 'recoup_staging_rows_per_second', value: staging.rowsPerSecond },
  { series: 'recoup_conflicts_open', value: openConflicts },
];

const ofStorage = (
  { databaseBytes, partitions }: Storage,
  limit: number | undefined,
  now: Date,
): Sample[] => [
  ...partitions.flatMap(({ name, bytes, rows }) => [
    { series: series('recoup_partition_bytes', { partition: name }), value: bytes },
    ...(rows === null ? [] : [{ series: series('recoup_partition_rows', { partition: name }), value: rows }]),
  ]),
  { series: 'recoup_partitions_ahead', value: monthsAhead(partitions, now) },
  { series: 'recoup_database_bytes', value: databaseBytes },
  ...(limit === undefined ? [] : [{ series: 'recoup_space_used_ratio', value: databaseBytes / limit }]),
];

export async function metrics(c: RequestContext<ApiSettings>): Promise<Response> {
  const { database, redis, timeZone, spaceLimitBytes } = c.get('settings');
  const db = openDatabase({ ...database, timeoutMs });
  const now = new Date();
  // Apart from each other: the size of a partition cannot be read while that partition is attached or detached.
  const [state, stats, storage, counts] = await Promise.all([
    readSystemState(db).catch(() => undefined),
    readStats(db, dayBegan(now, timeZone)).catch(() => undefined),
    readStorage(db).catch(() => undefined),
    readCounts(openRedis(redis, timeoutMs), countsKey).catch(() => undefined),
  ]);
  const counted = (counts ?? []).toSorted(bySeries);
  const up = [
    { series: series('recoup_up', { part: 'database' }), value: state ? 1 : 0 },
    { series: series('recoup_up', { part: 'redis' }), value: counts ? 1 : 0 },
  ];
  const known = [
    state ? ofState(state) : [],
    state ? ofEvents(state) : [],
    stats ? ofStats(stats) : [],
    storage ? ofStorage(storage, spaceLimitBytes, now) : [],
  ];
  const text = exposition([...up, ...counted, ...known.flat()], about);
  return c.body(text, 200, { 'content-type': 'text/plain; version=0.0.4', 'cache-control': 'no-store' });
}
