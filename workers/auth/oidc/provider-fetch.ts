// How the provider is asked: only where the settings say that its endpoints are, without following it elsewhere, for a
// few seconds, and no more than so many bytes of its answer.

import type { CustomFetch } from 'openid-client';
import { readChunks } from '../../read-body.ts';

/** The provider is away, or is not what the settings say. */
export class ProviderFault extends Error {
  override readonly name = 'ProviderFault';
}

const limitBytes = 256 * 1024;

export const providerFetch =
  (origins: readonly string[]): CustomFetch =>
  async (url, options) => {
    const { origin } = new URL(url);
    if (!origins.includes(origin)) throw new ProviderFault(`${origin} is neither its issuer nor allowed`);
    const response = await fetch(url, { ...(options as RequestInit), redirect: 'manual' });
    const { status } = response;
    // A runtime may hide where to as status 0.
    if (status < 200 || (status >= 300 && status < 400) || status >= 500) {
      await response.body?.cancel();
      throw new ProviderFault(`${origin} answered with status ${status}`);
    }
    const reader = response.body?.getReader();
    const body = reader ? await readChunks(reader, limitBytes) : new Uint8Array();
    if (body === 'body_too_large') {
      await reader?.cancel();
      throw new ProviderFault(`${origin} answered more than ${limitBytes} bytes`);
    }
    const type = response.headers.get('content-type');
    return new Response(body.length > 0 ? body : null, {
      status,
      headers: type === null ? {} : { 'content-type': type },
    });
  };
