// Idempotency-Key: the same request under one key is done once and answered alike, for as long as keys are known. A
// refusal that depends on what is recorded is an answer, too; one that says how to ask is not, and binds no key.

import type { Database } from '../../shared/database.ts';
import {
  type IdempotencyKey,
  isIdempotencyKey,
  type Once,
  requestHash,
} from '../../shared/operations/idempotency-key.ts';
import { keepAnswer } from '../../shared/operations/keep-answer.ts';
import { ok, type Result, refused } from '../../shared/result.ts';
import { type RequestContext, refuse } from '../app.ts';
import { actorOf } from '../caller.ts';
import type { ProblemCode, ProblemDetails } from '../problem.ts';
import type { ApiSettings } from './env.ts';

type Ctx = RequestContext<ApiSettings>;

/** What is kept of an answer. The body is text, so that the digits of its numbers are kept as well. */
export type Answer =
  | { status: 200 | 201 | 202; location: string; body: string }
  | { refusal: ProblemCode; details: ProblemDetails };

/** The header as it came; undefined when there is none. */
export function keyHeader(c: Ctx): Result<string | undefined, Response> {
  const key = c.req.header('idempotency-key');
  if (key === undefined || isIdempotencyKey(key)) return ok(key);
  const message = 'expected 1 to 255 visible ASCII characters';
  return refused(
    refuse(c, 'invalid_request', { errors: [{ field: 'Idempotency-Key', code: 'invalid', message }] }),
  );
}

/** Binds the key to its caller, the path and the request as it was understood. */
export const boundKey = async (
  c: Ctx,
  key: string | undefined,
  understood: unknown,
): Promise<IdempotencyKey | undefined> =>
  key === undefined
    ? undefined
    : { actor: actorOf(c.get('caller')), key, request: await requestHash([c.req.path, understood]) };

/** Answers what was done, or as the first time. `make` may run again for a repetition whose first answer got lost. */
export async function answerOnce<T>(
  c: Ctx,
  db: Database,
  key: IdempotencyKey | undefined,
  once: Once<T>,
  make: (done: T) => Promise<Answer>,
): Promise<Response> {
  if (once.state === 'reused') return refuse(c, 'idempotency_key_reused');
  const kept = once.answer ?? JSON.stringify(await make(once.done));
  const answer: Answer = JSON.parse(key && once.answer === null ? await keepAnswer(db, key, kept) : kept);
  const response =
    'refusal' in answer
      ? refuse(c, answer.refusal, answer.details)
      : c.body(answer.body, answer.status, { 'content-type': 'application/json', location: answer.location });
  if (once.state === 'repeated') response.headers.set('idempotency-replayed', 'true');
  return response;
}
