// Reads and validates the JSON body of a staff request, or answers why not, every fault at once.

import type * as z from 'zod/mini';
import { parseExactJson } from '../shared/exact-json.ts';
import { ok, type Result, refused } from '../shared/result.ts';
import { faultsOf, type RequestContext, refuse } from './app.ts';
import { readBody } from './read-body.ts';

const limitBytes = 64 * 1024;
const timeoutMs = 5_000;

/** As the reference tells them. */
export const limitsInWords = (bytes: number, ms: number): string =>
  `At most ${bytes / 1024} KiB, within ${ms / 1000} seconds.`;
export const usualLimits = limitsInWords(limitBytes, timeoutMs);

export async function jsonBody<S extends z.ZodMiniObject, T>(
  c: RequestContext<T>,
  schema: S,
  parse: (text: string) => unknown = JSON.parse,
): Promise<Result<z.output<S>, Response>> {
  const text = await textBody(c);
  if (!text.ok) return text;
  let json: unknown;
  try {
    json = parse(text.value);
  } catch {
    return refused(refuse(c, 'malformed_body'));
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return ok(parsed.data);
  return refused(refuse(c, 'invalid_request', { errors: faultsOf(parsed.error) }));
}

/** What has amounts or metadata in it: JSON whose numbers keep their source text, still to be validated. */
export async function exactJsonBody<T>(c: RequestContext<T>): Promise<Result<unknown, Response>> {
  const text = await textBody(c);
  if (!text.ok) return text;
  try {
    return ok(parseExactJson(text.value));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return refused(refuse(c, 'malformed_body', { detail: error.message }));
  }
}

async function textBody<T>(c: RequestContext<T>): Promise<Result<string, Response>> {
  if (!/^application\/json\s*(;|$)/i.test(c.req.header('content-type') ?? '')) {
    return refused(refuse(c, 'unsupported_media_type'));
  }
  const body = await readBody(c.req.raw, limitBytes, timeoutMs);
  if (!body.ok) return refused(refuse(c, body.refusal));
  try {
    return ok(new TextDecoder('utf-8', { fatal: true }).decode(body.value));
  } catch {
    return refused(refuse(c, 'malformed_body', { detail: 'not UTF-8' }));
  }
}
