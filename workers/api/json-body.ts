// Reads and validates the JSON body of a staff request, or answers why not, every fault at once.

import type * as z from 'zod/mini';
import { ok, type Result, refused } from '../../shared/result.ts';
import { faultsOf, type RequestContext, refuse } from '../app.ts';
import { readBody } from '../read-body.ts';

const limitBytes = 64 * 1024;
const timeoutMs = 5_000;

export async function jsonBody<S extends z.ZodMiniObject, T>(
  c: RequestContext<T>,
  schema: S,
  parse: (text: string) => unknown = JSON.parse,
): Promise<Result<z.output<S>, Response>> {
  if (!/^application\/json\s*(;|$)/i.test(c.req.header('content-type') ?? '')) {
    return refused(refuse(c, 'unsupported_media_type'));
  }
  const body = await readBody(c.req.raw, limitBytes, timeoutMs);
  if (!body.ok) return refused(refuse(c, body.refusal));
  let json: unknown;
  try {
    json = parse(new TextDecoder('utf-8', { fatal: true }).decode(body.value));
  } catch {
    return refused(refuse(c, 'malformed_body'));
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return ok(parsed.data);
  return refused(refuse(c, 'invalid_request', { errors: faultsOf(parsed.error) }));
}
