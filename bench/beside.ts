// Serves webhooks beside a running stack, on its servers: another workerd, or containers/edge on Node.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundle, stopBundler } from '../dev/servers/bundle.ts';
import { freePort } from '../dev/servers/port.ts';
import { launch } from '../dev/servers/process.ts';
import { compatibilityDate, startWorkers, webhooksObjects } from '../dev/servers/workerd.ts';
import { root } from '../dev/stack/settings.ts';
import type { Stack } from '../dev/stack/stack.ts';

export interface Beside {
  /** Of the webhooks. */
  port: number;
  pid: number;
  stop(): Promise<void>;
}

type Settings = Record<string, string>;

// Each server adds a listener that stops it when we leave; with the stack's there are more than Node finds usual.
process.setMaxListeners(50);

export const pidIn = (file: string): number => Number.parseInt(readFileSync(file, 'utf8'), 10);

export async function webhooksInWorkerd({ inside }: Stack, folder: string, more: Settings): Promise<Beside> {
  const script = await bundle(join(root, 'workers/webhooks/main.ts'));
  await stopBundler();
  const port = await freePort();
  const workerd = await startWorkers({
    folder,
    logFile: join(folder, 'log'),
    workers: [
      {
        name: 'webhooks',
        script,
        bindings: { ...inside.bindings.webhooks, ...more },
        objects: webhooksObjects,
        listen: { host: '127.0.0.1', port },
        compatibilityDate,
      },
    ],
  });
  return { port, pid: pidIn(join(folder, 'workerd.pid')), stop: () => workerd.stop() };
}

export async function edgeOnNode({ inside }: Stack, folder: string, more: Settings): Promise<Beside> {
  const { DATABASE_URL: _, ...given } = {
    ...inside.bindings.api,
    ...inside.bindings.auth,
    ...inside.bindings.webhooks,
  };
  const port = await freePort();
  const frontDoor = await freePort();
  const pidFile = join(folder, 'edge.pid');
  const script = join(root, 'containers/edge/main.ts');
  const server = await launch({
    name: 'The edge',
    command: process.execPath,
    args: [script, folder],
    cwd: root,
    env: {
      PATH: process.env.PATH,
      ...given,
      WEBHOOKS_DATABASE_URL: inside.urlFor('recoup_webhooks'),
      AUTH_DATABASE_URL: inside.urlFor('recoup_auth'),
      API_DATABASE_URL: inside.urlFor('recoup_api'),
      EDGE_DATABASE_URL: inside.urlFor('recoup_edge'),
      PORT: String(frontDoor),
      WEBHOOKS_PORT: String(port),
      AUTH_PORT: String(await freePort()),
      ...more,
    },
    logFile: join(folder, 'log'),
    pidFile,
    marker: folder,
    stopSignals: [
      ['SIGTERM', 25_000],
      ['SIGKILL', 5_000],
    ],
    isReady: async () =>
      (await fetch(`http://127.0.0.1:${frontDoor}/readyz`).catch(() => undefined))?.ok ?? false,
    readyWithinMs: 60_000,
  });
  return { port, pid: pidIn(pidFile), stop: () => server.stop() };
}
