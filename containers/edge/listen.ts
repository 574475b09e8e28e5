// Listens for HTTP on the runtime at hand, Node or Deno; nothing else here knows which one it is.

import type { Server } from 'node:http';
import type { HttpBindings, ServerType } from '@hono/node-server';

export interface Listener {
  /** Accepts nothing more; resolves when what was accepted has been answered. */
  drain(): Promise<void>;
}

/** `peer` is the address of whoever holds the other end of the socket. */
export type Answer = (request: Request, peer: string) => Promise<Response>;

interface DenoServe {
  serve(
    options: { port: number; hostname: string; onListen(): void },
    answer: (request: Request, info: { remoteAddr: { hostname: string } }) => Promise<Response>,
  ): { shutdown(): Promise<void> };
}
const deno = (globalThis as { Deno?: DenoServe }).Deno;

export const listen = (host: string, port: number, answer: Answer): Promise<Listener> =>
  deno ? listenInDeno(deno, host, port, answer) : listenInNode(host, port, answer);

async function listenInDeno(
  runtime: DenoServe,
  host: string,
  port: number,
  answer: Answer,
): Promise<Listener> {
  const server = runtime.serve({ port, hostname: host, onListen() {} }, (request, { remoteAddr }) =>
    // Headers of a request that came in cannot be changed.
    answer(new Request(request), remoteAddr.hostname),
  );
  return { drain: () => server.shutdown() };
}

async function listenInNode(host: string, port: number, answer: Answer): Promise<Listener> {
  const { serve } = await import('@hono/node-server');
  let draining = false;
  const fetch = async (request: Request, { incoming, outgoing }: HttpBindings) => {
    const response = await answer(request, incoming.socket.remoteAddress ?? '');
    // Answered before the body was there: the connection is good for nothing else, and the adapter would cut a
    // request that follows on it without a word.
    if (draining || !incoming.complete) outgoing.setHeader('connection', 'close');
    return response;
  };
  const server = await new Promise<ServerType>((resolve, reject) => {
    const options = { fetch: fetch as Parameters<typeof serve>[0]['fetch'], port, hostname: host };
    const starting = serve(options, () => resolve(starting));
    starting.once('error', reject);
  });
  return {
    drain: () =>
      new Promise((resolve) => {
        draining = true;
        server.close(() => resolve());
        (server as Server).closeIdleConnections();
      }),
  };
}
