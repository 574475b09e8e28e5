// The audit trail and its reports as they are answered.

import * as z from 'zod/mini';
import { instant } from './values.ts';

const text = z.nullable(z.string());

export const auditEntry = z.object({
  id: z.string(),
  at: instant,
  actor: z.string(),
  action: z.string(),
  subjectKind: text,
  subjectId: text,
  /** Of a change; what must not be read here is masked. */
  before: z.unknown(),
  after: z.unknown(),
  details: z.unknown(),
  address: text,
  requestId: text,
  sessionId: text,
  seal: text,
});

/** Its fields are the report's. */
export const reportLine = z.record(z.string(), text);
