// Asks a provider's API for JSON. Whatever is not an answer is a ProviderFault, with a message that quotes nothing of
// what was sent or received.

import { parseExactJson } from '../../exact-json.ts';
import { type ChannelBase, type Fetch, ProviderFault } from '../scheme.ts';

export interface ProviderAnswer {
  status: number;
  /** Numbers are NumberSource; undefined where the answer is no JSON. */
  json: unknown;
}

/** The answer whatever its status. Throws ProviderFault when there is none. */
export async function askProvider(
  channel: ChannelBase,
  path: string,
  init: RequestInit,
  fetch: Fetch,
): Promise<ProviderAnswer> {
  const url = `${channel.api?.url.replace(/\/$/, '')}${path}`;
  try {
    const answer = await fetch(url, { ...init, redirect: 'manual' });
    const text = await answer.text();
    return { status: answer.status, json: jsonOf(text) };
  } catch (cause) {
    const why =
      cause instanceof Error && cause.name === 'TimeoutError' ? 'did not answer in time' : 'is away';
    throw new ProviderFault(`the API of ${channel.name} ${why}`, { cause });
  }
}

function jsonOf(text: string): unknown {
  try {
    return parseExactJson(text);
  } catch {
    return undefined;
  }
}

/** The JSON of a 200. */
export async function factsOf(
  channel: ChannelBase,
  path: string,
  init: RequestInit,
  fetch: Fetch,
): Promise<unknown> {
  const { status, json } = await askProvider(channel, path, init, fetch);
  if (status === 200 && json !== undefined) return json;
  throw new ProviderFault(
    `the API of ${channel.name} answered ${status}${json === undefined ? ' without JSON' : ''}`,
  );
}

export function tokenOf(channel: ChannelBase): string {
  if (channel.api?.token === undefined) throw new ProviderFault(`${channel.name} has no API token`);
  return channel.api.token;
}
