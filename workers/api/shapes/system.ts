// Health and statistics as they are answered, in seed 003's words.

import * as z from 'zod/mini';
import { jobNames } from '../../../shared/operations/job.ts';
import { instant } from './values.ts';

const check = z.enum(['ok', 'error']);
const orOff = z.enum(['ok', 'error', 'off']);
const count = z.nullable(z.number());

export const health = z.object({
  status: z.enum(['healthy', 'unhealthy']),
  checks: z.object({
    database: check,
    kafka: check,
    redis: check,
    staging_backlog: count,
    last_staging_run: z.nullable(z.union([instant, z.literal('never')])),
    outbox: check,
    outbox_oldest_seconds: count,
    audit: check,
    audit_unsealed_seconds: count,
    webhooks: check,
    auth: check,
    accepted_store: z.enum(['ok', 'error', 'off', 'unknown']),
    accepted_backlog: count,
    accepted_buried: count,
    jobs: check,
    job_runs: z.nullable(
      z.partialRecord(
        z.enum(jobNames),
        z.object({ outcome: z.nullable(z.string()), age_seconds: z.number() }),
      ),
    ),
    partitions: check,
    partitions_ahead_months: count,
    partitions_default_rows: count,
    events_waiting: count,
    events_oldest_pending_seconds: count,
    events_per_second: count,
    event_streams: z.nullable(
      z.record(
        z.string(),
        z.object({ waiting: z.number(), pending: z.number(), oldest_pending_seconds: z.number() }),
      ),
    ),
    dead_letters: count,
    publisher: orOff,
    ingest: orOff,
    drain: orOff,
    projector: orOff,
    posting: orOff,
  }),
});

export const stats = z.object({
  staging: z.object({ processed_today: count, pending_count: count, average_batch_time_ms: count }),
  webhooks: z.object({ received_today: count, duplicate_rate: count, average_response_time_ms: count }),
  unavailable: z.optional(z.array(z.enum(['staging', 'webhooks']))),
});
