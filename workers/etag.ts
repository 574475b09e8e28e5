// Reading again what has not changed: a JSON answer carries a tag, its version's where the route has given it one and
// otherwise its bytes' hash, and who has it already is answered 304 without it. Whether browsers may keep it is for others
// to say (shield.ts). A middleware; streams pass untouched.

import type { MiddlewareHandler } from 'hono';

const hashTag = async (bytes: ArrayBuffer): Promise<string> => {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return `"${btoa(String.fromCharCode(...digest.subarray(0, 16)))}"`;
};

/** Whether the header names the tag; proxies that compress weaken it. */
const names = (header: string, tag: string): boolean =>
  header.trim() === '*' || (header.match(/"[^"]*"/g)?.includes(tag.replace(/^W\//, '')) ?? false);

export const conditionalReads: MiddlewareHandler = async (c, next) => {
  await next();
  const isRead = c.req.method === 'GET' || c.req.method === 'HEAD';
  const isJson = c.res.headers.get('content-type')?.startsWith('application/json');
  if (!isRead || !isJson || c.res.status !== 200) return;
  const headers = new Headers(c.res.headers);
  const bytes = await c.res.arrayBuffer();
  const tag = headers.get('etag') ?? (await hashTag(bytes));
  headers.set('etag', tag);
  // What somebody else may see of the same version is something else.
  headers.append('vary', 'Authorization, Cookie');
  const asked = c.req.header('if-none-match');
  const isKnown = asked !== undefined && names(asked, tag);
  if (isKnown) for (const name of ['content-type', 'content-length']) headers.delete(name);
  // Without this Hono would put the headers of the answer so far into the new one again.
  c.res = undefined;
  c.res = new Response(isKnown ? null : bytes, { status: isKnown ? 304 : 200, headers });
};
