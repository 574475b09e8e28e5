// The three Workers in workerd as one process, for a container: settings from the environment, the Workers' own lines
// on standard output, a clean stop on SIGTERM or SIGINT. Says what is wrong with any Worker's settings and exits 1.

import { ftruncateSync, openSync, readSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod/mini';
import { readWithWorkerSettings } from '../containers/edge/worker-settings.ts';
import { parseSettings, port } from '../shared/settings.ts';
import { bundle, stopBundler } from './servers/bundle.ts';
import { compatibilityDate, startWorkers, type WorkerPlan, webhooksObjects } from './servers/workerd.ts';
import { root, stateFolder } from './stack/settings.ts';

const variables = z.object({
  /** Loopback unless told otherwise, as in a container. */
  WORKERS_HOST: z._default(z.string(), '127.0.0.1'),
  PORT: port(8787),
  WEBHOOKS_PORT: port(8788),
  AUTH_PORT: port(8789),
});

/** What each Worker gets: the settings it names and no other, its faults under the names used here. */
export function readWorkersSettings(env: NodeJS.ProcessEnv) {
  const readOwn = () => parseSettings('workers', variables, env);
  const { own, bindings } = readWithWorkerSettings('workers', env, readOwn);
  const ports = { webhooks: own.WEBHOOKS_PORT, auth: own.AUTH_PORT, api: own.PORT };
  return { host: own.WORKERS_HOST, ports, bindings };
}

async function plan({ host, ports, bindings }: ReturnType<typeof readWorkersSettings>) {
  const workers: WorkerPlan[] = [];
  for (const name of ['webhooks', 'auth', 'api'] as const) {
    workers.push({
      name,
      script: await bundle(join(root, 'workers', name, 'main.ts')),
      bindings: bindings[name],
      ...(name === 'webhooks' && { objects: webhooksObjects }),
      ...(name === 'api' && { services: { WEBHOOKS: 'webhooks', AUTH: 'auth' } }),
      listen: { host, port: ports[name] },
      compatibilityDate,
    });
  }
  await stopBundler();
  return workers;
}

const logLimitBytes = 10_000_000;

/** Passes on what is written to the file, which is emptied when it grows too long; a line may get lost then. */
function passOn(logFile: string): () => void {
  const log = openSync(logFile, 'a+');
  const chunk = Buffer.alloc(64 * 1024);
  let position = 0;
  const drain = () => {
    for (;;) {
      const length = readSync(log, chunk, 0, chunk.length, position);
      if (length === 0) break;
      position += length;
      process.stdout.write(Buffer.from(chunk.subarray(0, length)));
    }
    if (position < logLimitBytes) return;
    ftruncateSync(log);
    position = 0;
  };
  const timer = setInterval(drain, 100);
  return () => {
    clearInterval(timer);
    drain();
  };
}

async function run(): Promise<void> {
  // Until they run there is nothing to stop in order: leaving tells what is starting to end.
  let onSignal: () => void = () => process.exit(1);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => onSignal());

  const settings = readWorkersSettings(process.env);
  const folder = stateFolder();
  const logFile = join(folder, 'logs', 'workers.log');
  rmSync(logFile, { force: true });
  const workerd = await startWorkers({
    folder,
    logFile,
    workers: await plan(settings),
    onLoss: (line) => {
      console.error(line);
      process.exit(1);
    },
  });
  const { host, ports } = settings;
  console.log(`workers listen on ${host}: ${ports.api} (front door), ${ports.webhooks}, ${ports.auth}`);
  const stopPassingOn = passOn(logFile);
  await new Promise<void>((resolve) => {
    onSignal = resolve;
  });
  await workerd.stop();
  stopPassingOn();
}

if (import.meta.main) {
  await run().catch((error: Error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
