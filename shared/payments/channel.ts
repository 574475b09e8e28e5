// A channel is configuration plus up to two live secrets, no code. A name that is not configured is unknown, a
// channel without a secret accepts nothing.

import * as z from 'zod/mini';
import { isAddressBlock } from './address-block.ts';
import { fromBase64 } from './channels/signature.ts';

const name = /^[a-z0-9][a-z0-9-]{0,62}$/;
const headerName = /^[A-Za-z0-9-]{1,64}$/;

const isAllowList = (value: unknown) =>
  Array.isArray(value) && value.every((block) => typeof block === 'string' && isAddressBlock(block));

const common = {
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
    409,
  ),
  /** CIDR blocks or addresses that may send; empty means any. */
  allow: z._default(z.custom<string[]>(isAllowList, 'expected a list of addresses and CIDR blocks'), []),
};

/** A setting that nobody reads is a misspelt one. */
const strict = {
  error: (issue: { code?: string; keys?: string[] }) =>
    issue.code === 'unrecognized_keys' ? `unknown setting ${issue.keys?.join(', ')}` : undefined,
};

const standard = z.strictObject({ scheme: z.custom<'standard'>(), ...common }, strict);
const hmac = z.strictObject(
  {
    scheme: z.custom<'hmac'>(),
    header: z
      .string('expected a header name')
      .check(z.refine((text) => headerName.test(text), 'expected a header name')),
    algorithm: z._default(
      z.enum(['sha256', 'sha384', 'sha512'], 'expected sha256, sha384 or sha512'),
      'sha256',
    ),
    encoding: z._default(z.enum(['hex', 'base64'], 'expected hex or base64'), 'hex'),
    /** Text before the signature in its header, e.g. `sha256=`. */
    prefix: z._default(z.string('expected a text'), ''),
    /** When set, this header holds Unix seconds and the signed text is `<timestamp>.<body>`. */
    timestampHeader: z.optional(
      z
        .string('expected a header name')
        .check(z.refine((text) => headerName.test(text), 'expected a header name')),
    ),
    ...common,
  },
  strict,
);
const schemes = { standard, hmac };
export type ChannelConfiguration = z.output<typeof standard> | z.output<typeof hmac>;

export type Channel = ChannelConfiguration & { name: string; secrets: readonly string[] };
export type ChannelOf<Scheme extends Channel['scheme']> = Extract<Channel, { scheme: Scheme }>;

/** The environment variables that hold a channel's secrets, the current one first. */
export const secretNames = (channel: string): [string, string] => {
  const stem = `CHANNEL_${channel.toUpperCase().replaceAll('-', '_')}_SECRET`;
  return [stem, `${stem}_PREVIOUS`];
};

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
    const scheme = (configuration as { scheme?: unknown } | null)?.scheme;
    if (scheme !== 'standard' && scheme !== 'hmac') {
      faults.push(`${channelName}.scheme: expected standard or hmac`);
      continue;
    }
    const secrets = secretNames(channelName).flatMap((variable) => {
      const secret = env[variable];
      if (typeof secret !== 'string' || secret === '') return [];
      const fault = secretFault(scheme, secret);
      if (fault) faults.push(`${variable}: ${fault}`);
      return [secret];
    });
    const parsed = schemes[scheme].safeParse(configuration);
    if (parsed.success) channels.set(channelName, { ...parsed.data, name: channelName, secrets });
    else
      faults.push(...parsed.error.issues.map((i) => `${[channelName, ...i.path].join('.')}: ${i.message}`));
  }
  return { channels, faults };
}

const secretFault = (scheme: Channel['scheme'], secret: string): string | undefined => {
  if (scheme === 'hmac') return secret.length < 16 ? 'expected at least 16 characters' : undefined;
  const key = /^whsec_[A-Za-z0-9+/]+=*$/.test(secret) ? fromBase64(secret.slice('whsec_'.length)) : undefined;
  return key && key.length >= 24 && key.length <= 64
    ? undefined
    : 'expected whsec_ and 24 to 64 bytes in base64';
};
