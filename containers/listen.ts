// Listens for HTTP; when it ends, what was accepted has been answered.

import type { Server } from 'node:http';
import { serve } from '@hono/node-server';
import type { Hono } from 'hono';

export async function listen(app: Hono, host: string, port: number): Promise<{ drain(): Promise<void> }> {
  const server = await new Promise<Server>((resolve, reject) => {
    const starting = serve({ fetch: app.fetch, port, hostname: host }, () => resolve(starting)) as Server;
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
