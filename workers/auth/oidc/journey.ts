// What a browser takes along to the provider and back, in a cookie that it cannot read, change or keep: that it was this
// browser which began (state), this sign-in (nonce) and this Worker (verifier), and the page to go on with.

import { getCookie, setCookie } from 'hono/cookie';
import * as z from 'zod/mini';
import type { RequestContext } from '../../app.ts';
import type { AuthSettings } from '../env.ts';
import type { OidcSettings } from './settings.ts';

export interface Journey {
  state: string;
  nonce: string;
  verifier: string;
  /** A path of ours. */
  returnTo: string;
}

const cookie = '__Host-recoup_oidc';
const minutes = 10;
const attributes = { path: '/', secure: true, httpOnly: true, sameSite: 'Lax' } as const;
const shape = z.object({
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  returnTo: z.string(),
  until: z.number(),
});

type Ctx = RequestContext<AuthSettings>;

export async function keepJourney(c: Ctx, { issuer }: OidcSettings, journey: Journey): Promise<void> {
  const until = Date.now() + minutes * 60_000;
  const text = JSON.stringify({ ...journey, until });
  const sealed = await c.get('settings').signInKeys.journeys.encrypt(text, issuer.href);
  setCookie(c, cookie, sealed, { ...attributes, maxAge: minutes * 60 });
}

/** The journey that this state belongs to, once; undefined when this browser has not begun it, or too long ago. */
export async function takeJourney(
  c: Ctx,
  { issuer }: OidcSettings,
  state: string | undefined,
): Promise<Journey | undefined> {
  const sealed = getCookie(c, cookie);
  setCookie(c, cookie, '', { ...attributes, maxAge: 0 });
  if (sealed === undefined) return undefined;
  const { journeys } = c.get('settings').signInKeys;
  const text = await journeys.decrypt(sealed, issuer.href).catch(() => 'null');
  const { data } = shape.safeParse(JSON.parse(text));
  return data && data.state === state && data.until > Date.now() ? data : undefined;
}
