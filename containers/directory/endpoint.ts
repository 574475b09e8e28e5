// What the auth Worker asks: whether a name and a password are somebody's. Only who has the key is answered. TLS in
// front of it is the network's, passwords are in its requests.

import { createHash, timingSafeEqual } from 'node:crypto';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import * as z from 'zod/mini';
import { errorFields, type Log } from '../../shared/log.ts';
import { bearerToken } from '../../shared/staff/api-key.ts';
import type { DirectoryAnswer } from '../../shared/staff/directory.ts';
import { DirectoryAway } from '../../shared/staff/directory-away.ts';

const question = z.strictObject({
  username: z.string().check(z.minLength(1), z.maxLength(320)),
  password: z.string().check(z.maxLength(1_024)),
});
const limitBytes = 16 * 1024;

const digest = (text: string) => createHash('sha256').update(text).digest();

export function createEndpoint({
  key,
  authenticate,
  log,
}: {
  key: string;
  /** Throws DirectoryAway. */
  authenticate: (credentials: z.output<typeof question>) => Promise<DirectoryAnswer>;
  log: Log;
}): Hono {
  const expected = digest(key);
  const app = new Hono();
  app.use(async (c, next) => {
    // Of digests, as the lengths must be equal and must not be told.
    const given = bearerToken(c.req.header('authorization')) ?? '';
    if (!timingSafeEqual(digest(given), expected)) return c.json({ error: 'unauthenticated' }, 401);
    return next();
  });
  app.use(bodyLimit({ maxSize: limitBytes, onError: (c) => c.json({ error: 'body_too_large' }, 413) }));
  app.post('/authenticate', async (c) => {
    const asked = question.safeParse(await c.req.json().catch(() => undefined));
    return asked.success ? c.json(await authenticate(asked.data)) : c.json({ error: 'invalid_request' }, 422);
  });
  app.notFound((c) => c.json({ error: 'not_found' }, 404));
  app.onError((error, c) => {
    const away = error instanceof DirectoryAway;
    log[away ? 'warn' : 'error'](away ? 'directory_away' : 'ask_failed', errorFields(error));
    return c.json({ error: away ? 'directory_away' : 'internal_error' }, away ? 503 : 500);
  });
  return app;
}
