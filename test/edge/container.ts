// containers/edge as a process: how each runtime runs it, and the three Workers' settings as one environment.

import { createRequire } from 'node:module';
import type { WorkerName, WorkerSettings } from './apps.ts';

export const containerRuntimes = {
  node: () => ({ command: process.execPath, args: ['containers/edge/main.ts'] }),
  deno: () => ({
    command: createRequire(import.meta.url)('deno/install_api.cjs').runInstall() as string,
    args: ['run', '-A', '--no-lock', '--node-modules-dir=manual', 'containers/edge/main.ts'],
  }),
};

export function containerEnv(
  ports: Record<WorkerName, number>,
  { api, webhooks, auth }: WorkerSettings,
  edgeDatabaseUrl: string,
): Record<string, string> {
  const { DATABASE_URL: _, ...all } = { ...api, ...auth, ...webhooks };
  return {
    PATH: process.env.PATH ?? '',
    HOME: process.env.HOME ?? '',
    DENO_NO_UPDATE_CHECK: '1',
    ...all,
    WEBHOOKS_DATABASE_URL: webhooks.DATABASE_URL as string,
    AUTH_DATABASE_URL: auth.DATABASE_URL as string,
    API_DATABASE_URL: api.DATABASE_URL as string,
    EDGE_DATABASE_URL: edgeDatabaseUrl,
    PORT: String(ports.api),
    WEBHOOKS_PORT: String(ports.webhooks),
    AUTH_PORT: String(ports.auth),
  };
}
