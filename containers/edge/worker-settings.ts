// What each of the three Workers is given out of one environment: the settings it names and no other, and as
// DATABASE_URL that of its own role.

import { isChannelVariable } from '../../shared/payments/channel.ts';
import { SettingsFault } from '../../shared/settings.ts';
import { apiVariables, readApiSettings } from '../../workers/api/env.ts';
import { authVariables, readAuthSettings } from '../../workers/auth/env.ts';
import { readWebhooksSettings, webhooksVariables } from '../../workers/webhooks/env.ts';

/** Each Worker's DATABASE_URL, with its own role. */
const databaseVariables = {
  webhooks: 'WEBHOOKS_DATABASE_URL',
  auth: 'AUTH_DATABASE_URL',
  api: 'API_DATABASE_URL',
} as const;
export type WorkerName = keyof typeof databaseVariables;

/** Every fault of `own`, a process' own settings, and of the Workers', under the names used here. Throws SettingsFault. */
export function readWithWorkerSettings<T>(
  process: string,
  env: Record<string, string | undefined>,
  readOwn: () => T,
): { own: T; bindings: Record<WorkerName, Record<string, string>> } {
  const faults: string[] = [];
  const collecting = <V>(read: () => V, databaseVariable: string): V | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof SettingsFault)) throw error;
      faults.push(...error.faults.map((fault) => fault.replace(/^DATABASE_URL(?=:)/, databaseVariable)));
      return undefined;
    }
  };
  const bind = (
    worker: WorkerName,
    isNamed: (name: string) => boolean,
    read: (bindings: Record<string, unknown>) => unknown,
  ): Record<string, string> => {
    const databaseVariable = databaseVariables[worker];
    const databaseUrl = env[databaseVariable] ?? '';
    const named = Object.entries(env).filter(([name, value]) => isNamed(name) && value);
    const bindings = { ...Object.fromEntries(named), DATABASE_URL: databaseUrl } as Record<string, string>;
    collecting(() => read(bindings), databaseVariable);
    return bindings;
  };
  const door = { fetch: () => {} };
  const bindings = {
    webhooks: bind(
      'webhooks',
      (name) => webhooksVariables.includes(name) || isChannelVariable(name),
      readWebhooksSettings,
    ),
    auth: bind('auth', (name) => authVariables.includes(name), readAuthSettings),
    api: bind(
      'api',
      (name) => apiVariables.includes(name) && name !== 'WEBHOOKS' && name !== 'AUTH',
      (own) => readApiSettings({ ...own, WEBHOOKS: door, AUTH: door }),
    ),
  };
  const own = collecting(readOwn, 'DATABASE_URL');
  if (own === undefined || faults.length > 0) throw new SettingsFault(process, [...new Set(faults)]);
  return { own, bindings };
}
