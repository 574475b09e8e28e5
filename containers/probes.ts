// A container's probes for Kubernetes, on a port of their own that is closed unless PROBE_PORT names it:
//
//   path        200 when                                                        else 503
//   /startupz   a heartbeat has been written: the process runs and has reached its database
//   /livez      one was written within the last minute (before the first: the process is younger than that)
//   /readyz     one was written within the last half minute and says that all is well, what it depends on included
//
// They tell what the last heartbeat told, so asking them costs nothing and reaches nobody.

import { createServer, type Server } from 'node:http';
import type { Heartbeat } from '../shared/operations/heartbeat.ts';

export interface Probes {
  /** The same way to send a heartbeat, except that the probes learn from it. */
  watching(send: (heartbeat: Heartbeat) => Promise<void>): (heartbeat: Heartbeat) => Promise<void>;
  close(): Promise<void>;
}

const aliveMs = 60_000;
const readyMs = 30_000;

/** Listens before it answers; throws when the port is taken. Without a port nothing listens. */
export async function openProbes(
  port: number | undefined,
  now: () => number = () => performance.now(),
): Promise<Probes> {
  const beganAt = now();
  let reachedAt: number | undefined;
  let healthy = false;
  const silentMs = () => now() - (reachedAt ?? beganAt);

  const checks: Record<string, () => boolean> = {
    '/startupz': () => reachedAt !== undefined,
    '/livez': () => silentMs() < aliveMs,
    '/readyz': () => reachedAt !== undefined && healthy && silentMs() < readyMs,
  };
  const server = port === undefined ? undefined : await listen(port, checks);

  return {
    watching: (send) => async (heartbeat) => {
      healthy = heartbeat.healthy;
      await send(heartbeat);
      reachedAt = now();
    },
    close: () => (server ? close(server) : Promise.resolve()),
  };
}

function listen(port: number, checks: Record<string, () => boolean>): Promise<Server> {
  const server = createServer((request, response) => {
    const check = checks[request.url ?? ''];
    const well = check?.();
    response.writeHead(check ? (well ? 200 : 503) : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ status: check ? (well ? 'ok' : 'error') : 'not_found' }));
  });
  server.keepAliveTimeout = 1_000;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // On all addresses: whoever asks for the port means to be asked from outside.
    server.listen(port, () => resolve(server.off('error', reject)));
  });
}

function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  return closed;
}
