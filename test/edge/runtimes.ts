// The three Workers, from the same sources, on each runtime that has to serve them. Every runtime listens on loopback
// and plays Cloudflare's edge: a Worker learns the caller's address from it, not from the caller.

import { mkdtempSync, readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { format } from 'node:util';
import { type HttpBindings, type ServerType, serve } from '@hono/node-server';
import { bundle, stopBundler } from '../../dev/servers/bundle.ts';
import { freePort, isOpen } from '../../dev/servers/port.ts';
import { launch } from '../../dev/servers/process.ts';
import { compatibilityDate, startWorkers, webhooksObjects } from '../../dev/servers/workerd.ts';
import { createApps, type Fetch, type WorkerName, type WorkerSettings, workerNames } from './apps.ts';
import { containerEnv, containerRuntimes } from './container.ts';

export const runtimes = ['workerd', 'node', 'deno'] as const;
/** And the container that serves without Cloudflare, over connections to Postgres. */
export const runtimesAndContainer = [...runtimes, 'container'] as const;
/** For what hangs on how a runtime keeps connections and time: workerd asks over HTTP, the container holds connections. */
export const unlikeRuntimes = ['workerd', 'container'] as const;
/** For what hangs on a route's own code: that each route answers the same on all of them is in examples.int.test.ts. */
export const oneRuntime = ['workerd'] as const;
export type Runtime = (typeof runtimesAndContainer)[number];

export interface EdgeOptions {
  /** Where a runtime with a process of its own keeps its files. */
  folder: string;
  settings: WorkerSettings;
  /** For what warms the container's memory. */
  edgeDatabaseUrl: string;
}

export interface Edge {
  urls: Record<WorkerName, string>;
  /** What the Workers have logged so far. */
  log(): string;
  stop(): Promise<void>;
}

export const startEdge = (runtime: Runtime, options: EdgeOptions): Promise<Edge> =>
  starters[runtime](options);

const starters: Record<Runtime, (options: EdgeOptions) => Promise<Edge>> = {
  workerd: startInWorkerd,
  node: startInNode,
  deno: startInDeno,
  container: startContainer,
};

const root = join(import.meta.dirname, '../..');
const byWorker = <T>(value: (name: WorkerName) => T) =>
  Object.fromEntries(workerNames.map((name) => [name, value(name)])) as Record<WorkerName, T>;
export const urlsOf = (ports: Record<WorkerName, number>) =>
  byWorker((name) => `http://127.0.0.1:${ports[name]}`);

export async function freePorts(): Promise<Record<WorkerName, number>> {
  const list = await Promise.all(workerNames.map(() => freePort()));
  return byWorker((name) => list[workerNames.indexOf(name)]!);
}

async function bundleAll(): Promise<Record<WorkerName, string>> {
  const scripts = await Promise.all(
    workerNames.map((name) => bundle(join(root, 'workers', name, 'main.ts'))),
  );
  await stopBundler();
  return byWorker((name) => scripts[workerNames.indexOf(name)]!);
}

let bundles: Promise<Record<WorkerName, string>> | undefined;

async function startInWorkerd({ folder, settings }: EdgeOptions): Promise<Edge> {
  bundles ??= bundleAll();
  const scripts = await bundles;
  const ports = await freePorts();
  const own = mkdtempSync(join(folder, 'workerd-'));
  const logFile = join(own, 'log');
  const workers = await startWorkers({
    folder: own,
    logFile,
    workers: workerNames.map((name) => ({
      name,
      script: scripts[name],
      bindings: settings[name],
      ...(name === 'webhooks' ? { objects: webhooksObjects } : {}),
      ...(name === 'api' ? { services: { WEBHOOKS: 'webhooks', AUTH: 'auth' } } : {}),
      listen: { host: '127.0.0.1', port: ports[name] },
      compatibilityDate,
      compatibilityFlags: [],
    })),
  });
  return { urls: urlsOf(ports), log: () => readFileSync(logFile, 'utf8'), stop: () => workers.stop() };
}

async function startInNode({ settings }: EdgeOptions): Promise<Edge> {
  const captured = captureConsole();
  const apps = createApps(settings);
  const servers = await Promise.all(workerNames.map((name) => listen(apps[name])));
  const portOf = (name: WorkerName) => (servers[workerNames.indexOf(name)]!.address() as AddressInfo).port;
  return {
    urls: urlsOf(byWorker(portOf)),
    log: () => captured.lines.join('\n'),
    async stop() {
      await Promise.all(servers.map(close));
      captured.release();
    },
  };
}

type FetchCallback = Parameters<typeof serve>[0]['fetch'];

const listen = (answer: Fetch): Promise<ServerType> =>
  new Promise((resolve) => {
    const fetch = async (request: Request, { incoming, outgoing }: HttpBindings) => {
      request.headers.set('cf-connecting-ip', incoming.socket.remoteAddress ?? '');
      const response = await answer(request);
      // Answered before the body was there: the connection is good for nothing else, and the adapter would cut a
      // request that follows on it without a word.
      if (!incoming.complete) outgoing.setHeader('connection', 'close');
      return response;
    };
    const options = { fetch: fetch as FetchCallback, port: 0, hostname: '127.0.0.1' };
    const server = serve(options, () => resolve(server));
  });

const close = (server: ServerType) =>
  new Promise<void>((resolve) => {
    server.close(() => resolve());
    (server as Server).closeAllConnections();
  });

const logs = new Set<string[]>();
const { log, info, warn, error } = console;

/** In this process the Workers log to our own console. While any of them run it is theirs, and each log has it all. */
function captureConsole(): { lines: string[]; release(): void } {
  const lines: string[] = [];
  logs.add(lines);
  const capture = (...parts: unknown[]) => logs.forEach((each) => void each.push(format(...parts)));
  Object.assign(console, { log: capture, info: capture, warn: capture, error: capture });
  const release = () => {
    logs.delete(lines);
    if (logs.size === 0) Object.assign(console, { log, info, warn, error });
  };
  return { lines, release };
}

async function startInDeno({ folder, settings }: EdgeOptions): Promise<Edge> {
  const ports = await freePorts();
  const own = mkdtempSync(join(folder, 'deno-'));
  const logFile = join(own, 'log');
  const server = await launch({
    name: 'Deno',
    command: createRequire(import.meta.url)('deno/install_api.cjs').runInstall(),
    args: ['run', '-A', '--no-lock', '--node-modules-dir=manual', 'test/edge/deno.ts', own],
    cwd: root,
    env: { ...process.env, DENO_NO_UPDATE_CHECK: '1', EDGE: JSON.stringify({ ports, settings }) },
    logFile,
    pidFile: join(own, 'deno.pid'),
    marker: own,
    stopSignals: [
      ['SIGTERM', 5_000],
      ['SIGKILL', 5_000],
    ],
    isReady: async () => (await Promise.all(Object.values(ports).map((port) => isOpen(port)))).every(Boolean),
    readyWithinMs: 30_000,
  });
  return { urls: urlsOf(ports), log: () => readFileSync(logFile, 'utf8'), stop: () => server.stop() };
}

async function startContainer({ folder, settings, edgeDatabaseUrl }: EdgeOptions): Promise<Edge> {
  const ports = await freePorts();
  const own = mkdtempSync(join(folder, 'container-'));
  const { command, args } = containerRuntimes.node();
  const logFile = join(own, 'log');
  const server = await launch({
    name: 'The edge',
    command,
    args: [...args, own],
    cwd: root,
    env: containerEnv(ports, settings, edgeDatabaseUrl),
    logFile,
    pidFile: join(own, 'pid'),
    marker: own,
    stopSignals: [
      ['SIGTERM', 25_000],
      ['SIGKILL', 5_000],
    ],
    isReady: async () => (await fetch(`${urlsOf(ports).api}/readyz`).catch(() => undefined))?.ok ?? false,
    readyWithinMs: 30_000,
  });
  return { urls: urlsOf(ports), log: () => readFileSync(logFile, 'utf8'), stop: () => server.stop() };
}
