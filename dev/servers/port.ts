// Ports on the loopback address.

import { connect, createServer } from 'node:net';

const loopback = '127.0.0.1';

/** False when somebody listens on the port; throws when we may not, or there is no such address here. */
export function isFree(port: number, host = loopback): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(error);
    });
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** True when something accepts connections on the port. */
export function isOpen(port: number, host = loopback): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host, timeout: 1000 });
    const answer = (open: boolean) => {
      socket.destroy();
      resolve(open);
    };
    socket.once('connect', () => answer(true));
    socket.once('error', () => answer(false));
    socket.once('timeout', () => answer(false));
  });
}

const given = new Set<number>();

/**
 * A free port below the range that systems use for outgoing connections, so that a server which is stopped and
 * started again finds its port as it left it. Each is given once: who got it may not listen there yet.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(port)) return port;
  }
  throw new Error('found no free port between 20000 and 32000');
}

/** The wanted port if it is free, or a free one for 0 and undefined; otherwise an error a person can act on. */
export async function choosePort(server: string, wanted: number | undefined): Promise<number> {
  if (!wanted) return freePort();
  if (await isFree(wanted)) return wanted;
  throw new Error(
    `${server}: port ${wanted} is already in use; stop what listens there or choose another port`,
  );
}
