// What projectors tell of events in their heartbeats. How much waits is known best by who spoke last; rates and counts
// of types are of all. Heartbeats come from another process, maybe of another version, so nothing is taken for granted.

import type { HeartbeatDetail } from '../operations/heartbeat.ts';

interface StreamState {
  stream: string;
  waiting: number;
  pending: number;
  oldestPendingSeconds: number;
  /** Entries that it holds in all, where the projector trims it. */
  kept: number | null;
}

/** Null: not known now. */
export interface ProjectorState {
  waiting: number | null;
  oldestPendingSeconds: number | null;
  perSecond: number | null;
  deadLetters: number | null;
  streams: StreamState[] | null;
  /** Events folded without a handler, by type, since their projectors started. */
  unhandled: Record<string, number>;
}

export function projectorState(
  pulses: ReadonlyArray<{ ageSeconds: number; detail: HeartbeatDetail }>,
): ProjectorState {
  const details = pulses.toSorted((a, b) => a.ageSeconds - b.ageSeconds).map(({ detail }) => detail);
  const latest = (name: string) => details.map((detail) => numberOf(detail[name]))[0] ?? null;
  const streams = details[0]?.streams;
  const unhandled: Record<string, number> = {};
  for (const detail of details) {
    for (const [type, count] of Object.entries(recordOf(detail.unhandled)))
      unhandled[type] = (unhandled[type] ?? 0) + (numberOf(count) ?? 0);
  }
  return {
    waiting: latest('waiting'),
    oldestPendingSeconds: latest('oldest_pending_seconds'),
    perSecond:
      details.length === 0
        ? null
        : details.reduce((sum, detail) => sum + (numberOf(detail.events_per_second) ?? 0), 0),
    deadLetters: latest('dead_letters'),
    streams: Array.isArray(streams) ? streams.flatMap(streamOf) : null,
    unhandled,
  };
}

const numberOf = (value: unknown): number | null => (typeof value === 'number' ? value : null);
const recordOf = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

function streamOf(told: unknown): StreamState[] {
  const { source, waiting, pending, oldestPendingSeconds, kept } = recordOf(told);
  if (typeof source !== 'string') return [];
  return [
    {
      stream: source,
      waiting: numberOf(waiting) ?? 0,
      pending: numberOf(pending) ?? 0,
      oldestPendingSeconds: numberOf(oldestPendingSeconds) ?? 0,
      kept: numberOf(kept),
    },
  ];
}
