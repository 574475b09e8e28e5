// A connection to the directory, for one piece of work and bounded in time: over TLS from its first byte (ldaps://) or
// from before the first password (ldap://), bound as our own account. Whatever goes wrong with it is the same to those
// who ask: the directory is away.

import { Client, InvalidCredentialsError, type ResultCodeError } from 'ldapts';
import { DirectoryAway } from '../../shared/staff/directory-away.ts';
import { within } from '../time-limit.ts';
import type { LdapSettings } from './env.ts';

const connectTimeoutMs = 3_000;
const operationTimeoutMs = 10_000;
/** Asked of the server, too. */
export const searchSeconds = 10;

/** Throws DirectoryAway for all that the work throws. */
export async function asking<T>(
  settings: LdapSettings,
  limitMs: number,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const { protocol, hostname } = new URL(settings.url);
  const host = hostname.replace(/^\[|\]$/g, '');
  const tls = { host, ca: settings.ca, minVersion: 'TLSv1.2' as const };
  const client = new Client({
    url: settings.url,
    timeout: operationTimeoutMs,
    connectTimeout: connectTimeoutMs,
    ...(protocol === 'ldaps:' ? { tlsOptions: tls } : {}),
  });
  try {
    return await within(
      limitMs,
      (async () => {
        if (protocol === 'ldap:' && !settings.isPlain) await client.startTLS(tls);
        await client.bind(settings.bindDn, settings.bindPassword);
        return work(client);
      })(),
    );
  } catch (cause) {
    throw new DirectoryAway(reasonOf(cause), { cause });
  } finally {
    client.unbind().catch(() => {});
  }
}

/** Never the server's own words, which may quote what was asked. */
function reasonOf(cause: unknown): string {
  if (cause instanceof InvalidCredentialsError) return 'the directory refuses our own account';
  const { code } = cause as Partial<ResultCodeError> & NodeJS.ErrnoException;
  if (typeof code === 'number') return `the directory answered result ${code}`;
  return `the directory cannot be reached: ${code ?? (cause as Error).name}`;
}
