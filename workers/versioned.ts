// Two people who change the same thing: its answers carry its version as ETag, a change names the version that it was
// made from in If-Match, and the second of two gets what is there now beside what they wanted, and nothing is lost.

import type { Context } from 'hono';
import * as z from 'zod/mini';
import { ok, type Result, refused } from '../shared/result.ts';
import { refuse } from './app.ts';

/** A version that nothing has ever had. */
const neverPresent = 0;

const versionTag = (version: number): string => `"${version}"`;

/** Of a route that changes what has versions. */
export const ifMatch = z.object({
  'if-match': z.string().check(
    z.meta({
      description: 'The version that the change was made from: the `ETag` of the answer that showed it',
      pattern: '^(W/)?"[^"]*"$',
    }),
  ),
});

/** Says with an answer which version of the thing it shows. */
export const showVersion = (c: Context, version: number): void => c.header('etag', versionTag(version));

/**
 * The version that the change was made from. `*` and lists name none and are refused as no header is: they would undo
 * somebody's change unseen. A tag that is not one of ours is of no version there has been. Proxies that compress weaken
 * tags; a version stays the same.
 */
export function expectedVersion(c: Context): Result<number, Response> {
  const tag = /^(?:W\/)?"([^"]*)"$/.exec(c.req.header('if-match')?.trim() ?? '')?.[1];
  if (tag === undefined) return refused(refuse(c, 'version_required'));
  return ok(/^[1-9]\d{0,8}$/.test(tag) ? Number(tag) : neverPresent);
}

/** What is there now, as reading it would show it, beside what the request wanted to make of it. */
export function changedMeanwhile(
  c: Context,
  present: { version: number },
  wanted: object | undefined,
): Response {
  const response = refuse(c, 'changed_meanwhile', { members: { present, wanted: wanted ?? null } });
  response.headers.set('etag', versionTag(present.version));
  return response;
}
