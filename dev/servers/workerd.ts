// Workers in Cloudflare's own runtime, in one process, without wrangler's proxy. What listens plays Cloudflare's edge:
// it says in cf-connecting-ip who is calling, whatever the caller says. The generated configuration holds secrets: it
// is for our eyes only and gone once the runtime has read it.

import { randomUUID } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { isFree } from './port.ts';
import { launch, type StopSignals, stopOrphan } from './process.ts';

interface Listen {
  host: string;
  port: number;
}

/** As in the wrangler files. */
export const compatibilityDate = '2026-11-01';

/** As in workers/webhooks/wrangler.toml. */
export const webhooksObjects = { GROUP_COMMIT: { className: 'PaymentCommits' } } as const;

export interface WorkerPlan {
  name: string;
  /** One ES module, bundled. */
  script: string;
  /** Variables and secrets. */
  bindings: Record<string, string>;
  /** Service bindings: the binding's name and the worker it leads to. */
  services?: Record<string, string>;
  /** Durable Objects, which keep nothing: the binding's name, the class, and whose it is if not the worker's own. */
  objects?: Record<string, { className: string; of?: string }>;
  /** Without it the worker is reached through service bindings alone. */
  listen?: Listen;
  compatibilityDate: string;
  compatibilityFlags?: readonly string[];
}

export interface WorkersOptions {
  /** For what the runtime reads at its start. */
  folder: string;
  logFile: string;
  workers: readonly WorkerPlan[];
  /** As in Launch. */
  onLoss?: (line: string) => void;
}

const stopSignals: StopSignals = [
  ['SIGTERM', 10_000],
  ['SIGKILL', 5_000],
];

/** Stops the Workers that a killed starter left behind, which still hold their ports. Throws when it lives. */
export const stopLeftWorkers = (folder: string): Promise<void> =>
  stopOrphan('Workers', join(folder, 'workerd.pid'), join(folder, 'workers.capnp'), stopSignals);

export async function startWorkers(options: WorkersOptions): Promise<{ stop(): Promise<void> }> {
  const folder = resolve(options.folder);
  const configFile = join(folder, 'workers.capnp');
  const pidFile = join(folder, 'workerd.pid');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  await stopLeftWorkers(folder);
  const sockets = options.workers.flatMap(({ listen }) => (listen ? [listen] : []));
  for (const { host, port } of sockets) {
    if (!(await isFree(port, host))) {
      throw new Error(`port ${port} is already in use; stop what listens there or choose another port`);
    }
  }
  const sign = randomUUID();
  try {
    writeFileSync(configFile, configuration(options.workers, sign), { mode: 0o600 });
    return await launch({
      name: 'Workers',
      command: createRequire(import.meta.url)('workerd').default,
      args: ['serve', configFile],
      cwd: folder,
      logFile: options.logFile,
      pidFile,
      marker: configFile,
      stopSignals,
      isReady: async () =>
        (await Promise.all(sockets.map((socket) => isServing(socket, sign)))).every(Boolean),
      readyWithinMs: 30_000,
      onLoss: options.onLoss,
    });
  } finally {
    rmSync(configFile, { force: true });
  }
}

/** An open port is not enough: it is open before the scripts are compiled. */
async function isServing({ host, port }: Listen, sign: string): Promise<boolean> {
  try {
    const headers = { 'recoup-edge-sign': sign };
    const answer = await fetch(`http://${authority(host, port)}/`, {
      headers,
      signal: AbortSignal.timeout(2000),
    });
    return answer.status === 204;
  } catch {
    return false;
  }
}

const authority = (host: string, port: number) =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

/** In front of a worker that listens. clientIp is '127.0.0.1:1234' or '[::1]:1234'. */
const edge = `export default {
  fetch(request, env) {
    if (request.headers.get('recoup-edge-sign') === env.SIGN) return new Response(null, { status: 204 });
    const passed = new Request(request);
    passed.headers.set('cf-connecting-ip', request.cf.clientIp.replace(/:\\d+$/, '').replace(/^\\[|\\]$/g, ''));
    return env.WORKER.fetch(passed);
  },
};`;

function configuration(workers: readonly WorkerPlan[], sign: string): string {
  const services = workers.map((worker) => {
    const texts = Object.entries(worker.bindings).map(
      ([name, value]) => `(name = ${text(name)}, text = ${text(value)})`,
    );
    const others = Object.entries(worker.services ?? {}).map(
      ([name, service]) => `(name = ${text(name)}, service = ${text(service)})`,
    );
    const objects = Object.entries(worker.objects ?? {}).map(
      ([name, { className, of = worker.name }]) =>
        `(name = ${text(name)}, durableObjectNamespace = (className = ${text(className)}, serviceName = ${text(of)}))`,
    );
    return service(worker, worker.name, worker.script, [...texts, ...others, ...objects], worker.objects);
  });
  const listening = workers.filter((worker) => worker.listen);
  const edges = listening.map((worker) =>
    service(worker, `${worker.name} edge`, edge, [
      `(name = "WORKER", service = ${text(worker.name)})`,
      `(name = "SIGN", text = ${text(sign)})`,
    ]),
  );
  const sockets = listening.map(({ name, listen }) => {
    const address = text(authority(listen!.host, listen!.port));
    return `(name = ${text(name)}, address = ${address}, http = (), service = ${text(`${name} edge`)})`;
  });
  // Loopback, where the database is, counts as private.
  const internet =
    '(name = "internet", network = (allow = ["public", "private"], tlsOptions = (trustBrowserCas = true)))';
  return [
    'using Workerd = import "/workerd/workerd.capnp";',
    'const config :Workerd.Config = (',
    `  services = [\n    ${[internet, ...services, ...edges].join(',\n    ')}\n  ],`,
    `  sockets = [\n    ${sockets.join(',\n    ')}\n  ]`,
    ');\n',
  ].join('\n');
}

function service(
  worker: WorkerPlan,
  name: string,
  script: string,
  bindings: readonly string[],
  objects: WorkerPlan['objects'] = {},
): string {
  const flags = (worker.compatibilityFlags ?? []).map(text).join(', ');
  const runtime = `compatibilityDate = ${text(worker.compatibilityDate)}, compatibilityFlags = [${flags}]`;
  const modules = `modules = [(name = "worker.js", esModule = ${text(script)})]`;
  const namespaces = Object.values(objects)
    .filter(({ of }) => of === undefined)
    .map(({ className }) => `(className = ${text(className)}, uniqueKey = ${text(`${name}-${className}`)})`);
  const storage = namespaces.length
    ? `, durableObjectNamespaces = [${namespaces.join(', ')}], durableObjectStorage = (inMemory = void)`
    : '';
  const bound = `bindings = [${bindings.join(', ')}]`;
  return `(name = ${text(name)}, worker = (${modules}, ${runtime}, ${bound}${storage}))`;
}

/** As Cap'n Proto reads it: UTF-8 in double quotes with C's escapes. */
function text(value: string): string {
  const inQuotes = Array.from(Buffer.from(value), (byte) => {
    const plain = byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c;
    return plain ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
  });
  return `"${inQuotes.join('')}"`;
}
