// How the whole system is, read in one statement across the slices. It never writes.

import { sql } from 'drizzle-orm';
import { heartbeats, jobRuns } from '../../drizzle/schema/operations.ts';
import { messages } from '../../drizzle/schema/outbox.ts';
import { paymentStaging, stagingProcessLog } from '../../drizzle/schema/payments.ts';
import { type Database, tables } from '../database.ts';
import type { HeartbeatDetail } from '../operations/heartbeat.ts';
import { type JobName, jobNames, jobs, type RunStatus } from '../operations/job.ts';
import { destinations } from '../outbox/message.ts';
import { type ProjectorState, projectorState } from './projector-state.ts';

interface Pulse {
  process: string;
  instance: string;
  healthy: boolean;
  ageSeconds: number;
  detail: HeartbeatDetail;
}

interface JobPulse {
  job: JobName;
  /** Of the run that began last, and of the one that ended last. */
  latest: RunStatus;
  outcome: RunStatus | null;
  /** Since the latest began. */
  ageSeconds: number;
}

export interface SystemState {
  stagingBacklog: number;
  /** ISO 8601, UTC; null when nothing was ever staged. */
  lastStagingRun: string | null;
  /** Messages still to be delivered and the age of the oldest, by destination. */
  outbox: Array<{ destination: string; waiting: number; oldestSeconds: number }>;
  pulses: Pulse[];
  /** Jobs that have ever begun. */
  jobs: JobPulse[];
  /** Months after this one that have a partition of payments, without a gap; -1 when this one has none. */
  monthsAhead: number;
  /** Payments in the default partition, not counted beyond 10,000. */
  defaultRows: number;
  /** Entries of the audit trail that have no seal yet, and the age of the oldest. */
  unsealed: { entries: number; oldestSeconds: number };
}

export async function readSystemState(db: Database): Promise<SystemState> {
  const [row] = await tables(db)
    .select({
      stagingBacklog: sql<string>`(select count(*) from ${paymentStaging} where ${paymentStaging.processed} is not true)`,
      lastStagingRun: sql<
        string | null
      >`(select to_char(max(${stagingProcessLog.startedAt}) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') from ${stagingProcessLog})`,
      outbox: sql<string>`(select coalesce(json_agg(queue), '[]')::text from (
        select ${messages.destination} as destination, count(*) as waiting,
               round(extract(epoch from now() - min(${messages.createdAt})), 1) as "oldestSeconds"
        from ${messages} group by ${messages.destination}) as queue)`,
      pulses: sql<string>`(select coalesce(json_agg(pulse), '[]')::text from (
        select ${heartbeats.process} as process, ${heartbeats.instance} as instance, ${heartbeats.healthy} as healthy,
               ${heartbeats.detail} as detail, round(extract(epoch from now() - ${heartbeats.beatAt}), 1) as "ageSeconds"
        from ${heartbeats} order by ${heartbeats.process}, ${heartbeats.instance}) as pulse)`,
      jobs: sql<string>`(select coalesce(json_agg(job_pulse), '[]')::text from (
        select wanted.job, latest.status as latest, ended.status as outcome,
               round(extract(epoch from now() - latest.started_at)) as "ageSeconds"
        from json_array_elements_text(${JSON.stringify(jobNames)}::json) as wanted (job)
        cross join lateral (select status, started_at from ${jobRuns} where job = wanted.job and started_at is not null
                            order by started_at desc limit 1) as latest
        left join lateral (select status from ${jobRuns} where job = wanted.job and finished_at is not null
                           order by started_at desc limit 1) as ended on true) as job_pulse)`,
      monthsAhead: sql<string>`(select coalesce(min(n) filter (where m.month is null), 121) - 1
        from generate_series(0, 120) as n
        left join payment_service.payment_months m
          on m.month = (date_trunc('month', now() at time zone 'UTC') + make_interval(months => n))::date)`,
      defaultRows: sql<string>`(select count(*) from (select from payment_service.payments_default limit 10000) as held)`,
      unsealed: sql<string>`(select json_build_object('entries', count(*),
          'oldestSeconds', coalesce(round(extract(epoch from clock_timestamp() - min(at)), 1), 0))::text
        from audit.unsealed join audit.entries on id = entry_id)`,
    })
    .from(sql`(values (1)) as one`);
  if (!row) throw new Error('the system state has one row');
  const waiting: SystemState['outbox'] = JSON.parse(row.outbox);
  return {
    stagingBacklog: Number(row.stagingBacklog),
    lastStagingRun: row.lastStagingRun,
    outbox: destinations.map(
      (destination) =>
        waiting.find((some) => some.destination === destination) ?? {
          destination,
          waiting: 0,
          oldestSeconds: 0,
        },
    ),
    pulses: JSON.parse(row.pulses),
    jobs: JSON.parse(row.jobs),
    monthsAhead: Number(row.monthsAhead),
    defaultRows: Number(row.defaultRows),
    unsealed: JSON.parse(row.unsealed),
  };
}

/** The containers that must be alive, whoever runs them. */
const expectedProcesses = ['publisher', 'ingest', 'drain', 'projector', 'posting'] as const;

/** An instance that has not been heard of for this long is dead. */
const silentAfterSeconds = 30;
/** A message that waits longer means that its destination does not keep up. */
const lateAfterSeconds = 60;

/** An entry that waits longer for its seal means that nobody seals, or that a transaction hangs. */
const unsealedAfterSeconds = 1_800;

/** A job whose last run began more than so many of its intervals ago is late. */
const lateAfterIntervals = 3;

/** What the projectors that are heard of say of events. */
export const eventState = (pulses: readonly Pulse[]): ProjectorState =>
  projectorState(pulses.filter((pulse) => pulse.process === 'projector' && isAlive(pulse)));
const isAlive = ({ ageSeconds }: Pulse): boolean => ageSeconds < silentAfterSeconds;

type Check = 'ok' | 'error';
/** `off`: webhooks accept nothing during an outage. `unknown`: that Redis does not say how durable it is. */
export type AcceptedCheck = Check | 'off' | 'unknown';
const check = (healthy: boolean): Check => (healthy ? 'ok' : 'error');

/**
 * What the state says about the log, the outbox, the accepted payments and each expected container. Of what is unknown
 * nothing is well. Where webhooks accept nothing during an outage, no drain is expected.
 */
export function judge(state: SystemState | undefined, { accepting }: { accepting: boolean }) {
  const { outbox, pulses } = state ?? { outbox: [], pulses: [] };
  const alive = pulses.filter(isAlive);
  const oldestSeconds = Math.max(0, ...outbox.map((destination) => destination.oldestSeconds));
  return {
    log: check(alive.some((pulse) => pulse.process === 'publisher' && pulse.detail.log_ok === true)),
    outbox: check(state !== undefined && oldestSeconds < lateAfterSeconds),
    oldestSeconds,
    audit: check(state !== undefined && state.unsealed.oldestSeconds < unsealedAfterSeconds),
    jobs: check(
      jobNames.every((name) =>
        isWell(
          name,
          state?.jobs.find(({ job }) => job === name),
        ),
      ),
    ),
    partitions: check(state !== undefined && state.monthsAhead >= 1),
    events: eventState(pulses),
    accepted: acceptedState(accepting ? alive.filter(({ process }) => process === 'drain') : undefined),
    containers: Object.fromEntries(
      expectedProcesses.map((process) => {
        if (process === 'drain' && !accepting) return [process, 'off'];
        const instances = alive.filter((pulse) => pulse.process === process);
        return [process, check(instances.length > 0 && instances.every((pulse) => pulse.healthy))];
      }),
    ) as Record<(typeof expectedProcesses)[number], Check | 'off'>,
  };
}

/** What the drains know of their stream; the one that spoke last knows best how much waits. */
function acceptedState(drains: Pulse[] | undefined): {
  store: AcceptedCheck;
  backlog: number | null;
  buried: number | null;
} {
  if (!drains) return { store: 'off', backlog: null, buried: null };
  const [latest] = drains.toSorted((a, b) => a.ageSeconds - b.ageSeconds);
  const stores = drains.map(({ detail }) => detail.store);
  const told = (name: string) => (typeof latest?.detail[name] === 'number' ? latest.detail[name] : null);
  const durable = stores.length > 0 && stores.every((store) => store === 'durable' || store === 'unknown');
  return {
    store: durable && stores.includes('unknown') ? 'unknown' : check(durable),
    backlog: told('backlog'),
    buried: told('buried'),
  };
}

/** A run that was left by its process is made up for within moments, so it counts only while nothing does so. */
function isWell(name: JobName, pulse: JobPulse | undefined): boolean {
  const { everySeconds } = jobs[name];
  // What runs only when it is asked for may never have run; who asked for it is told how it went.
  if (everySeconds === null) return true;
  if (!pulse || pulse.outcome === 'failed' || pulse.latest === 'abandoned') return false;
  return pulse.ageSeconds <= lateAfterIntervals * everySeconds;
}
