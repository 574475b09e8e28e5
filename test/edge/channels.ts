// The channels of the suite, one per thing that a channel can be told, and their secrets.

import type { Scheme } from './sign.ts';

const standardSecret = (letter: string) => `whsec_${Buffer.from(letter.repeat(32)).toString('base64')}`;

interface TestChannel {
  configuration: Scheme & { namespace?: string; conflict?: number; allow?: string[]; events?: boolean };
  secret?: string;
  previous?: string;
}

const hubScheme: Scheme = {
  scheme: 'hmac',
  header: 'x-hub-signature-256',
  algorithm: 'sha256',
  encoding: 'hex',
  prefix: 'sha256=',
  timestampHeader: 'x-hub-timestamp',
};
const plainScheme: Scheme = {
  scheme: 'hmac',
  header: 'x-signature',
  algorithm: 'sha512',
  encoding: 'base64',
  prefix: '',
};

export const channels = {
  standard: {
    configuration: { scheme: 'standard' },
    secret: standardSecret('a'),
    previous: standardSecret('b'),
  },
  /** Another namespace, and conflicts are answered with 200. */
  partner: {
    configuration: { scheme: 'standard', namespace: 'partner', conflict: 200 },
    secret: standardSecret('c'),
  },
  /** With a timestamp. */
  hub: { configuration: hubScheme, secret: 'hub-secret-of-today', previous: 'hub-secret-of-yesterday' },
  /** Without one. */
  plain: { configuration: plainScheme, secret: 'plain-secret-of-today' },
  /** Loopback is not among those who may send. */
  fenced: {
    configuration: { scheme: 'standard', allow: ['203.0.113.0/24', '2001:db8::/32'] },
    secret: standardSecret('d'),
  },
  /** It is here. */
  near: {
    configuration: { scheme: 'standard', allow: ['192.0.2.1', '127.0.0.0/8', '::1'] },
    secret: standardSecret('e'),
  },
  'no-secret': { configuration: { scheme: 'standard' } },
  /** For those who send too much. */
  busy: { configuration: { scheme: 'standard' }, secret: standardSecret('f') },
  /** For a handful of requests. */
  quiet: { configuration: { scheme: 'standard' }, secret: standardSecret('g') },
  stripe: {
    configuration: { scheme: 'stripe', namespace: 'stripe' },
    secret: 'whsec_stripe_secret_of_today',
  },
  adyen: { configuration: { scheme: 'adyen', namespace: 'adyen' }, secret: '0123456789ABCDEF'.repeat(4) },
  /** Those that bring events. */
  servicing: { configuration: { scheme: 'standard', events: true }, secret: standardSecret('h') },
  'hub-events': {
    configuration: { ...hubScheme, events: true, conflict: 200 },
    secret: 'hub-events-secret-of-today',
    previous: 'hub-events-secret-of-yesterday',
  },
  'fenced-events': {
    configuration: { scheme: 'standard', events: true, allow: ['203.0.113.0/24'] },
    secret: standardSecret('i'),
  },
  'no-secret-events': { configuration: { scheme: 'standard', events: true } },
  gocardless: { configuration: { scheme: 'gocardless' }, secret: 'gocardless-secret-of-today' },
} satisfies Record<string, TestChannel>;

export type ChannelName = keyof typeof channels;
export const channel = (name: ChannelName): TestChannel => channels[name];
export const anySecret = standardSecret('z');

/** As the webhooks Worker reads them. */
export const channelSettings: Record<string, string> = {
  CHANNELS: JSON.stringify(
    Object.fromEntries(Object.entries(channels).map(([name, { configuration }]) => [name, configuration])),
  ),
  DEFAULT_CHANNEL: 'standard',
  ...Object.fromEntries(
    Object.entries<TestChannel>(channels).flatMap(([name, { secret, previous }]) => {
      const variable = `CHANNEL_${name.toUpperCase().replaceAll('-', '_')}_SECRET`;
      return [
        ...(secret ? [[variable, secret]] : []),
        ...(previous ? [[`${variable}_PREVIOUS`, previous]] : []),
      ];
    }),
  ),
};
