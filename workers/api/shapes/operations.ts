// What waits for people or is done now and then, as it is answered: staged rows, notices, rejected bodies, dead
// letters, jobs.

import * as z from 'zod/mini';
import { deadLetterStatuses } from '../../../shared/dead-letters/dead-letter.ts';
import { jobNames } from '../../../shared/operations/job.ts';
import { instant, uuid } from './values.ts';

const faults = z.array(z.object({ field: z.string(), code: z.string(), message: z.string() }));

const staged = {
  id: z.string(),
  reason: z.nullable(z.string()),
  faults: z.nullable(faults),
  referenceNumber: z.nullable(z.string()),
  loanAccountNumber: z.nullable(z.string()),
  cif: z.nullable(z.string()),
  amount: z.nullable(z.string()),
  currency: z.nullable(z.string()),
  paymentDate: z.nullable(z.string()),
  paymentChannel: z.nullable(z.string()),
  /** Of whatever type. */
  metadata: z.unknown(),
  processedAt: z.nullable(z.string()),
};
const columns = z.nullable(z.record(z.string(), z.unknown()));

export const quarantinedRow = z.object(staged);
export const stagingChange = z.object({
  kind: z.enum(['corrected', 'released']),
  before: columns,
  after: columns,
  note: z.nullable(z.string()),
  actor: z.string(),
  changedAt: instant,
});
export const quarantinedRowWithChanges = z.object({ ...staged, changes: z.array(stagingChange) });

export const notice = z.object({
  id: uuid,
  channel: z.string(),
  noticeReference: z.string(),
  subject: z.string(),
  payload: z.unknown(),
  standing: z.boolean(),
  status: z.enum(['waiting', 'done', 'failed']),
  attempts: z.int(),
  nextTryAt: instant,
  lastError: z.nullable(z.string()),
  timesSeen: z.int(),
  retriedBy: z.nullable(z.string()),
  retriedAt: z.nullable(instant),
  settledAt: z.nullable(instant),
  createdAt: instant,
});

export const rejectedBody = z.object({
  id: uuid,
  channel: z.string(),
  status: z.enum(['open', 'resent', 'dismissed']),
  body: z.string(),
  masked: z.boolean(),
  altered: z.boolean(),
  refusal: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('malformed'), reason: z.string() }),
    z.object({ kind: z.literal('invalid'), faults }),
  ]),
  requestId: z.string(),
  timesSeen: z.int(),
  firstSeenAt: instant,
  lastSeenAt: instant,
  decidedBy: z.nullable(z.string()),
  decidedAt: z.nullable(instant),
  reason: z.nullable(z.string()),
  resentBody: z.nullable(z.string()),
});

/** What became of each part of a body that was sent again. */
export const arrived = z.object({
  kind: z.enum(['payment', 'reversal', 'failure', 'notice']),
  outcome: z.enum([
    ...['created', 'duplicate', 'conflict', 'applied', 'held', 'refused', 'recorded', 'kept'],
  ] as const),
  paymentId: z.optional(z.nullable(uuid)),
  conflictId: z.optional(uuid),
  reversalId: z.optional(z.nullable(uuid)),
  why: z.optional(z.nullable(z.string())),
});

export const deadLetter = z.object({
  id: uuid,
  status: z.enum(deadLetterStatuses),
  source: z.string(),
  entryId: z.string(),
  eventId: z.nullable(z.string()),
  type: z.nullable(z.string()),
  reason: z.string(),
  buriedAt: instant,
  decidedBy: z.nullable(z.string()),
  decidedReason: z.nullable(z.string()),
  decidedAt: z.nullable(instant),
});
export const wholeDeadLetter = z.extend(deadLetter, {
  fields: z.record(z.string(), z.string()),
  stack: z.nullable(z.string()),
});

const run = z.object({
  id: uuid,
  status: z.enum(['requested', 'running', 'succeeded', 'failed', 'abandoned']),
  /** Null when it began by itself. */
  requestedBy: z.nullable(z.string()),
  requestedAt: z.nullable(instant),
  startedAt: z.nullable(instant),
  finishedAt: z.nullable(instant),
  instance: z.nullable(z.string()),
  detail: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
  error: z.nullable(z.string()),
});
export const job = z.object({
  name: z.enum(jobNames),
  does: z.string(),
  /** Null: only when it is asked for. */
  everySeconds: z.nullable(z.int()),
  runs: z.array(run),
});
