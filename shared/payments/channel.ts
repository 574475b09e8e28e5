// A channel is configuration plus up to two live secrets, no code; its scheme is the code. A name that is not
// configured is unknown, a channel without a secret accepts nothing.

import * as z from 'zod/mini';
import { isAddressBlock } from './address-block.ts';
import type { ChannelBase, ChannelWith, Scheme } from './scheme.ts';
import { isSchemeName, type SchemeName, schemes } from './schemes.ts';

const name = /^[a-z0-9][a-z0-9-]{0,62}$/;

const isAllowList = (value: unknown) =>
  Array.isArray(value) && value.every((block) => typeof block === 'string' && isAddressBlock(block));

const common = (scheme: Scheme) => ({
  /** Payments of channels that share a namespace are told apart by their reference alone. */
  namespace: z._default(
    z
      .string('expected lower-case letters, digits and hyphens')
      .check(z.refine((text) => name.test(text), 'expected lower-case letters, digits and hyphens')),
    'default',
  ),
  /** How a reference with other facts is answered: 200 suits senders that would retry a 409 for ever. */
  conflict: z._default(
    z.custom<409 | 200>((value) => value === 409 || value === 200, 'expected 409 or 200'),
    scheme.single ? 409 : 200,
  ),
  /** CIDR blocks or addresses that may send; empty means any. */
  allow: z._default(z.custom<string[]>(isAllowList, 'expected a list of addresses and CIDR blocks'), []),
  /** True: it brings servicing events and no payments; without it, the other way round. */
  ...(scheme.single ? { events: z._default(z.boolean('expected true or false'), false) } : {}),
});

/** A setting that nobody reads is a misspelt one. */
const strict = {
  error: (issue: { code?: string; keys?: string[] }) =>
    issue.code === 'unrecognized_keys' ? `unknown setting ${issue.keys?.join(', ')}` : undefined,
};

export type ChannelOf<Name extends SchemeName> = { scheme: Name } & ChannelWith<
  (typeof schemes)[Name]['settings']
>;
export type Channel = { [Name in SchemeName]: ChannelOf<Name> }[SchemeName];
type Configured<C> = C extends unknown ? Omit<C, 'name' | 'secrets' | 'api'> : never;
/** As CHANNELS has it, with the defaults filled in. */
export type ChannelConfiguration = Configured<Channel>;

export const schemeOf = (channel: Pick<Channel, 'scheme'>): Scheme => schemes[channel.scheme];

const stem = (channel: string) => `CHANNEL_${channel.toUpperCase().replaceAll('-', '_')}`;

/** The channel of this name that brings payments, or that brings events. */
export function channelBringing(
  what: 'payments' | 'events',
  channels: ReadonlyMap<string, Channel>,
  channelName: string,
): Channel | undefined {
  const channel = channels.get(channelName);
  return channel && (channel.events === true) === (what === 'events') ? channel : undefined;
}

/** The environment variables that hold a channel's secrets, the current one first. */
export const secretNames = (channel: string): [string, string] => [
  `${stem(channel)}_SECRET`,
  `${stem(channel)}_SECRET_PREVIOUS`,
];

/** The environment variables that say where a channel's provider answers, and with which token. */
export const apiNames = (channel: string): [url: string, token: string] => [
  `${stem(channel)}_API_URL`,
  `${stem(channel)}_API_TOKEN`,
];

/** True for every variable that belongs to some channel. */
export const isChannelVariable = (variable: string): boolean =>
  /^CHANNEL_[A-Z0-9_]+_(SECRET|SECRET_PREVIOUS|API_URL|API_TOKEN)$/.test(variable);

/**
 * Reads CHANNELS (JSON: name -> configuration) and each channel's secrets from the environment. Answers the
 * channels and every fault; a missing secret is none (the channel then refuses all), a malformed one is.
 */
export function readChannels(channelsJson: string, env: Record<string, unknown>) {
  const channels = new Map<string, Channel>();
  const faults: string[] = [];
  let given: unknown;
  try {
    given = JSON.parse(channelsJson);
  } catch {
    return { channels, faults: ['is not JSON'] };
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    return { channels, faults: ['must be a JSON object: name -> configuration'] };
  }
  for (const [channelName, configuration] of Object.entries(given)) {
    if (!name.test(channelName))
      faults.push(`${channelName}: a name has lower-case letters, digits and hyphens`);
    const schemeName = (configuration as { scheme?: unknown } | null)?.scheme;
    if (!isSchemeName(schemeName)) {
      faults.push(`${channelName}.scheme: expected ${Object.keys(schemes).join(', ')}`);
      continue;
    }
    const scheme: Scheme = schemes[schemeName];
    const variable = (of: string) => (typeof env[of] === 'string' && env[of] !== '' ? env[of] : undefined);
    const secrets = secretNames(channelName).flatMap((of) => {
      const secret = variable(of);
      if (secret === undefined || !scheme.secret) return [];
      const fault = scheme.secret.fault(secret);
      if (fault) faults.push(`${of}: ${fault}`);
      return [secret];
    });
    const [urlName, tokenName] = apiNames(channelName);
    const api = scheme.api && { url: variable(urlName) ?? scheme.api.defaultUrl, token: variable(tokenName) };
    if (api && !/^https?:$/.test(URL.canParse(api.url) ? new URL(api.url).protocol : ''))
      faults.push(`${urlName}: expected https://host`);

    const settings = z.strictObject({ scheme: z.custom(), ...scheme.settings, ...common(scheme) }, strict);
    const parsed = settings.safeParse(configuration);
    const base: Pick<ChannelBase, 'name' | 'secrets' | 'api'> = { name: channelName, secrets, api };
    // Checked by the scheme's own settings, which ChannelOf follows.
    if (parsed.success) channels.set(channelName, { ...parsed.data, ...base } as unknown as Channel);
    else
      faults.push(...parsed.error.issues.map((i) => `${[channelName, ...i.path].join('.')}: ${i.message}`));
  }
  return { channels, faults };
}
