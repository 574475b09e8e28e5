// An HTTP server that plays a provider's API: answers JSON, and can be made to fail, to be slow or to hang.

import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Asked {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
  /** As it was sent. */
  body: string;
}
export interface Reply {
  status: number;
  /** A text goes out as it is. */
  body: unknown;
  headers?: Record<string, string>;
}

export interface ProviderServer {
  url: string;
  /** Paths in the order they were asked for. */
  asked: string[];
  /** The next so many questions are answered like this, or not at all. */
  next(...replies: Array<Reply | 'hang'>): void;
  close(): Promise<void>;
}

export async function startProvider(
  answer: (asked: Asked) => Reply | Promise<Reply>,
): Promise<ProviderServer> {
  const asked: string[] = [];
  const planned: Array<Reply | 'hang'> = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', async () => {
      const url = new URL(request.url ?? '/', 'http://provider');
      asked.push(`${request.method} ${url.pathname}${url.search}`);
      const reply =
        planned.shift() ??
        (await answer({
          method: request.method ?? '',
          path: url.pathname,
          query: url.searchParams,
          headers: request.headers,
          body: Buffer.concat(chunks).toString(),
        }));
      if (reply === 'hang') return;
      const text = typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body);
      response.writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers }).end(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    next: (...replies) => void planned.push(...replies),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
