// For tests: a person's browser at Keycloak's own login form, as far as a form and its cookies go.

/**
 * Opens an authorisation URL, types the password into the form, and returns where Keycloak then sends the browser: the
 * client's redirect URI with `code` and `state`, or with `error`. Throws, with the page's own words, when Keycloak
 * shows a page instead, as it does for a wrong password or a redirect URI it does not know.
 */
export async function signInAtKeycloak(
  authorizationUrl: string | URL,
  person: { username: string; password: string },
): Promise<URL> {
  const cookies = new Map<string, string>();
  const opened = await visit(new URL(authorizationUrl), cookies);
  if (opened.location) return opened.location;
  const action = /<form id="kc-form-login"[^>]* action="([^"]+)"/.exec(opened.page)?.[1];
  if (!action) throw new Error(`Keycloak shows no login form: ${words(opened.page)}`);
  const body = new URLSearchParams({
    username: person.username,
    password: person.password,
    credentialId: '',
  });
  const entered = await visit(new URL(action.replaceAll('&amp;', '&'), authorizationUrl), cookies, body);
  if (!entered.location) throw new Error(`Keycloak does not let them in: ${words(entered.page)}`);
  return entered.location;
}

/** Follows redirects within Keycloak and returns the first that leads away from it, or the page that is shown. */
async function visit(
  url: URL,
  cookies: Map<string, string>,
  body?: URLSearchParams,
): Promise<{ location?: URL; page: string }> {
  const headers = { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') };
  const signal = AbortSignal.timeout(20_000);
  const answer = await fetch(url, {
    method: body ? 'POST' : 'GET',
    body,
    headers,
    redirect: 'manual',
    signal,
  });
  for (const cookie of answer.headers.getSetCookie()) {
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
    cookies.set(name, value);
  }
  const page = await answer.text();
  const location = answer.headers.get('location');
  if (!location) return { page };
  const next = new URL(location, url);
  if (next.origin !== url.origin || !next.pathname.startsWith('/realms/')) return { location: next, page };
  return visit(next, cookies);
}

/** What a page says, without its markup; the part that says what went wrong when there is one. */
function words(page: string): string {
  const wrong = / id="input-error-(?!container)[^>]*>([\s\S]*?)<\/span>/.exec(page)?.[1];
  const body = /<body[\s\S]*<\/body>/.exec(page)?.[0] ?? page;
  const said = (wrong ?? body).replace(/<(script|style)[\s\S]*?<\/\1>/g, '').replace(/<[^>]*>/g, ' ');
  return said.replace(/\s+/g, ' ').trim();
}
