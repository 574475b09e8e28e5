// Listens for HTTP; when it ends, what was accepted has been answered.

import type { Server } from 'node:http';
import { type HttpBindings, serve } from '@hono/node-server';

/** A request that takes longer to arrive is cut off. */
const requestTimeoutMs = 15_000;

export async function listen(
  app: { fetch: (request: Request, bindings: HttpBindings) => Response | Promise<Response> },
  host: string,
  port: number,
): Promise<{ drain(): Promise<void> }> {
  const server = await new Promise<Server>((resolve, reject) => {
    const starting = serve(
      { fetch: app.fetch as Parameters<typeof serve>[0]['fetch'], port, hostname: host },
      () => resolve(starting),
    ) as Server;
    starting.requestTimeout = requestTimeoutMs;
    starting.once('error', reject);
  });
  return {
    drain: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
  };
}
