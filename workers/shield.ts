// What every answer of the staff API tells browsers: nothing may frame it, run in it, keep it or read it from elsewhere,
// unless the deployment names where its pages are.

import type { MiddlewareHandler } from 'hono';
import { cors } from 'hono/cors';
import type { CommonSettings, Scope } from './app.ts';

/** A page that needs more says so itself, and what it says stays. */
const headers = {
  'content-security-policy':
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'cache-control': 'no-store',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=63072000; includeSubDomains',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
} as const;

type Settings = CommonSettings & { allowedOrigins: readonly string[] };

export const securityHeaders: MiddlewareHandler = async (c, next) => {
  await next();
  for (const [name, value] of Object.entries(headers)) {
    if (!c.res.headers.has(name)) c.header(name, value);
  }
};

/** Pages of these origins may ask with the browser's session. */
export const allowedOrigins: MiddlewareHandler<Scope<Settings>> = (c, next) =>
  cors({
    origin: (origin) => (c.get('settings').allowedOrigins.includes(origin) ? origin : null),
    credentials: true,
    allowMethods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    allowHeaders: [
      'content-type',
      'if-match',
      'if-none-match',
      'idempotency-key',
      'last-event-id',
      'x-request-id',
    ],
    exposeHeaders: ['etag', 'link', 'location', 'retry-after', 'x-request-id', 'idempotency-replayed'],
    maxAge: 600,
  })(c, next);
