// The directory's life: answers the auth Worker, and has people here follow the directory, until the signal.

import { listen } from '../listen.ts';
import { runContainer } from '../run-container.ts';
import { authenticate } from './authenticate.ts';
import { createEndpoint } from './endpoint.ts';
import { readDirectorySettings } from './env.ts';
import { synchronising } from './synchronise.ts';

/** How often it looks whether the directory is away. */
const lookMs = 15_000;

/** Throws SettingsFault. */
export function run(env: Record<string, string | undefined>, signal: AbortSignal) {
  const settings = readDirectorySettings(env);
  const { host, port, key, ldap, groupRoles, sync } = settings;
  return runContainer('directory', settings, env, signal, async ({ db, log }) => {
    const app = createEndpoint({ key, authenticate: (asked) => authenticate(ldap, asked), log });
    const listener = await listen(app, host, port);
    const { step, heartbeat } = synchronising({ db, ldap, groupRoles, ...sync, log });
    return {
      about: { port, kind: ldap.kind },
      parts: { directory: { step, idleMs: () => lookMs, heartbeat } },
      ended: () => listener.drain(),
    };
  });
}
