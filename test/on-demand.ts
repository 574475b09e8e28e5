// Servers that few test files need: each is started when the first file asks for it, once per run, while the other
// files run on. Files ask over HTTP, by name, and are answered with what the start returned, as JSON.

import { once } from 'node:events';
import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface OnDemand {
  url: string;
  /** Ends the servers that were started. */
  stop(): Promise<void>;
}

type Start = () => Promise<{ answer: unknown; stop: () => Promise<void> } | null>;

export async function serveOnDemand(starts: Readonly<Record<string, Start>>): Promise<OnDemand> {
  const started = new Map<string, ReturnType<Start>>();
  const door = createServer(async (request, response) => {
    const name = request.url!.slice(1);
    try {
      if (!started.has(name)) started.set(name, starts[name]!());
      const server = await started.get(name);
      response.end(JSON.stringify(server ? server.answer : null));
    } catch (error) {
      response.writeHead(500).end((error as Error).message);
    }
  });
  door.listen(0, '127.0.0.1');
  await once(door, 'listening');
  return {
    url: `http://127.0.0.1:${(door.address() as AddressInfo).port}`,
    async stop() {
      door.close();
      // What is still starting is waited for; what failed has said so to the files that asked.
      const servers = await Promise.allSettled(started.values());
      const stops = servers.map((server) =>
        server.status === 'fulfilled' ? server.value?.stop() : undefined,
      );
      const failed = (await Promise.allSettled(stops)).find((stop) => stop.status === 'rejected');
      if (failed) throw failed.reason;
    },
  };
}

/** Waits as long as the start takes, which the first time installs and fetches. Throws what the start has thrown. */
export async function ask<T>(url: string, name: string): Promise<T | null> {
  const [response] = await once(get(`${url}/${name}`), 'response');
  const body = await text(response);
  if (response.statusCode !== 200) throw new Error(body);
  return JSON.parse(body) as T | null;
}
