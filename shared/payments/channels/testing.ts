// For tests only: a channel as CHANNELS configures it, what it makes of a request, and headers as node:crypto signs them.

import { createHmac } from 'node:crypto';
import { apiNames, type Channel, type ChannelOf, readChannels, schemeOf, secretNames } from '../channel.ts';
import type { Fetch } from '../scheme.ts';
import type { SchemeName } from '../schemes.ts';
import { verifySignature } from '../verify-signature.ts';

export const business = { timeZone: 'Europe/Berlin', currency: 'EUR' };
export const now = new Date('2026-11-23T10:00:00.500Z');
export const seconds = (offset = 0): number => Math.floor(now.getTime() / 1000) + offset;

/** Throws where the settings or a secret are at fault. */
export function channelOf<Name extends SchemeName>(
  scheme: Name,
  settings: Record<string, unknown> = {},
  { secret, previous, token }: { secret?: string; previous?: string; token?: string } = {},
): ChannelOf<Name> {
  const [current, before] = secretNames('psp');
  const { channels, faults } = readChannels(JSON.stringify({ psp: { scheme, ...settings } }), {
    [current]: secret,
    [before]: previous,
    [apiNames('psp')[1]]: token,
  });
  if (faults.length > 0) throw new Error(faults.join('; '));
  return channels.get('psp') as ChannelOf<Name>;
}

export const bytesOf = (body: string | Uint8Array): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(typeof body === 'string' ? Buffer.from(body) : body);

/** `ok`, or why it is refused. */
export async function verdict(
  channel: Channel,
  headers: Record<string, string | undefined>,
  body: string | Uint8Array,
  { at = now, fetch }: { at?: Date; fetch?: Fetch } = {},
): Promise<string> {
  const request = { header: (name: string) => headers[name], body: bytesOf(body) };
  const verified = await verifySignature(channel, request, at, fetch);
  return verified.ok ? 'ok' : verified.refusal;
}

/** What the scheme reads; a text is taken as it is. */
export const parse = (channel: Channel, body: unknown) =>
  schemeOf(channel).parse(bytesOf(typeof body === 'string' ? body : JSON.stringify(body)), channel, business);

/** The names of the fields at fault. */
export function faultsOf(channel: Channel, body: unknown): string[] {
  const parsed = parse(channel, body);
  if (parsed.ok) return parsed.value.rejected.flatMap(({ refusal }) => fieldsOf(refusal));
  return fieldsOf(parsed.refusal);
}

const fieldsOf = (refusal: Extract<ReturnType<typeof parse>, { ok: false }>['refusal']) =>
  refusal.kind === 'malformed' ? [refusal.reason] : refusal.faults.map(({ field }) => field);

export const hexHmac = (secret: string, content: string | Uint8Array): string =>
  createHmac('sha256', secret).update(content).digest('hex');
