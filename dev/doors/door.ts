// What both doors are made of: a small HTTP server that reads a bounded body, asks its protocol for an answer and
// tells it when the caller has left or waited too long. Refuses bodies over 16 MiB, more than 1,024 connections and
// calls that take longer than a minute. It checks no origin and no certificate: it belongs on loopback.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const limits = {
  bodyBytes: 16 * 1024 * 1024,
  connections: 1024,
  callMs: 60_000,
  receiveMs: 30_000,
  drainMs: 3_000,
};

export interface DoorOptions {
  /** 0 takes any free port: read it from the door's url. */
  port: number;
  host?: string | undefined;
}

export interface Door {
  /** Without a path and without a trailing slash. */
  url: string;
  /** Lets running calls end for a moment, then cuts them off. */
  close(): Promise<void>;
}

export interface Call {
  request: IncomingMessage;
  body: Buffer;
  /** True once nobody waits for the answer any more. */
  abandoned: boolean;
  /** Set by the protocol while it has something to stop; called at most once. */
  onAbandoned: (() => void) | undefined;
}

export interface Answer {
  status: number;
  contentType: string;
  body: string;
}

export interface Protocol {
  answer(call: Call): Promise<Answer>;
  /** A refusal in this protocol's own words. */
  refuse(status: number, message: string): Answer;
  close(): Promise<void>;
}

/** Thrown by a protocol to refuse a call; becomes its `refuse(status, message)`. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export async function openDoor(options: DoorOptions, protocol: Protocol): Promise<Door> {
  const server = createServer(
    { requestTimeout: limits.receiveMs, keepAliveTimeout: 65_000 },
    (request, response) => receive(request, response, protocol),
  );
  server.maxConnections = limits.connections;
  await listen(server, options).catch(async (error) => {
    await protocol.close();
    throw error;
  });
  return { url: addressOf(server), close: () => closeServer(server).finally(() => protocol.close()) };
}

function receive(request: IncomingMessage, response: ServerResponse, protocol: Protocol): void {
  const chunks: Buffer[] = [];
  let size = 0;
  request.on('error', () => response.destroy());
  request.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= limits.bodyBytes) chunks.push(chunk);
    else chunks.length = 0;
  });
  request.on('end', () => {
    if (size > limits.bodyBytes) {
      send(response, protocol.refuse(413, `the body is larger than ${limits.bodyBytes} bytes`));
      return;
    }
    const body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
    respond({ request, body, abandoned: false, onAbandoned: undefined }, response, protocol);
  });
}

async function respond(call: Call, response: ServerResponse, protocol: Protocol): Promise<void> {
  const abandon = () => {
    call.abandoned = true;
    call.onAbandoned?.();
  };
  const tooLong = setTimeout(() => {
    send(response, protocol.refuse(504, `no answer within ${limits.callMs} ms; the work was cancelled`));
    abandon();
  }, limits.callMs);
  response.on('close', () => {
    clearTimeout(tooLong);
    if (!response.writableFinished) abandon();
  });
  const answer = await protocol.answer(call).catch((error: unknown) => {
    if (error instanceof Refusal) return protocol.refuse(error.status, error.message);
    return protocol.refuse(500, error instanceof Error ? error.message : String(error));
  });
  clearTimeout(tooLong);
  send(response, answer);
}

function send(response: ServerResponse, answer: Answer): void {
  if (response.headersSent || response.destroyed) return;
  // Not writeHead: it fixes the headers before end() can add the length, and the body goes out in chunks.
  response.statusCode = answer.status;
  response.setHeader('content-type', answer.contentType);
  response.end(answer.body);
}

function listen(server: Server, options: DoorOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port: options.port, host: options.host ?? '127.0.0.1' }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function addressOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

async function closeServer(server: Server): Promise<void> {
  const cutOff = setTimeout(() => server.closeAllConnections(), limits.drainMs);
  await new Promise((resolve) => server.close(resolve));
  clearTimeout(cutOff);
}
