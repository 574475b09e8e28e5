// A browser that signs in at a provider, as far as redirects and cookies go.

import { type Answer, ask } from './asking.ts';
import type { Edge } from './runtimes.ts';

const pathOf = (way: 'login' | 'callback') => `/api/v1/auth/oidc/${way}`;

/** By name, as the browser would send it back. */
const cookieIn = (answer: Answer, name: string) =>
  answer.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';')[0] as string)
    .find((cookie) => cookie.startsWith(`__Host-recoup_${name}=`)) ?? '';

/** Sent to the provider: where, and what it carries. */
export async function setOut(
  edge: Edge,
  returnTo?: string,
  headers: Record<string, string> = {},
): Promise<{ answer: Answer; url: string; journey: string }> {
  const query = returnTo === undefined ? '' : `?${new URLSearchParams({ returnTo })}`;
  const answer = await ask(`${edge.urls.api}${pathOf('login')}${query}`, { headers });
  return { answer, url: answer.headers.get('location') ?? '', journey: cookieIn(answer, 'oidc') };
}

/** Back from the provider. */
export const comeBack = (
  edge: Edge,
  query: URLSearchParams,
  cookies: readonly string[],
  headers: Record<string, string> = {},
): Promise<Answer> =>
  ask(`${edge.urls.api}${pathOf('callback')}?${query}`, {
    headers: { ...(cookies.length > 0 ? { cookie: cookies.join('; ') } : {}), ...headers },
  });
