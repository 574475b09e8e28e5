// What both doors are made of: a small HTTP server that reads a bounded body, asks its protocol for an answer and
// tells it when the caller has left or waited too long. Refuses bodies over 16 MiB and more than 1,024 connections.
// It checks no origin and no certificate: it belongs on loopback.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const limits = {
  bodyBytes: 16 * 1024 * 1024,
  connections: 1024,
  receiveMs: 30_000,
  idleMs: 65_000,
  drainMs: 3_000,
};

export interface DoorOptions {
  /** 0 takes any free port: read it from the door's url. */
  port: number;
  host?: string | undefined;
  /** How long a call may take before it is answered 504 and its work stopped. */
  callMs?: number | undefined;
}

export interface Door {
  /** Without a path and without a trailing slash. */
  url: string;
  /** Lets running calls end for a moment, then cuts them off. */
  close(): Promise<void>;
}

/** Why nobody waits for an answer any more: the caller went, or it took too long. */
type Abandonment = 'left' | 'late';

export interface Call {
  request: IncomingMessage;
  body: Buffer;
  abandoned: Abandonment | undefined;
  /** Set by the protocol while it has something to stop; called at most once. */
  onAbandoned: ((why: Abandonment) => void) | undefined;
}

export interface Answer {
  status: number;
  contentType: string;
  body: string;
}

export interface Protocol {
  defaultCallMs: number;
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

/** A connection refused at both of localhost's addresses has a code and no message. */
export const reasonOf = (error: unknown): string =>
  (error instanceof Error && (error.message || (error as NodeJS.ErrnoException).code)) || String(error);

export async function openDoor(options: DoorOptions, protocol: Protocol): Promise<Door> {
  const callMs = options.callMs ?? protocol.defaultCallMs;
  const server = createServer({ requestTimeout: limits.receiveMs, keepAliveTimeout: limits.idleMs });
  server.on('request', (request, response) => receive(request, response, protocol, callMs));
  server.maxConnections = limits.connections;
  await listen(server, options).catch(async (error) => {
    await protocol.close();
    throw error;
  });
  return { url: addressOf(server), close: () => closeServer(server).finally(() => protocol.close()) };
}

function receive(
  request: IncomingMessage,
  response: ServerResponse,
  protocol: Protocol,
  callMs: number,
): void {
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
    respond({ request, body, abandoned: undefined, onAbandoned: undefined }, response, protocol, callMs);
  });
}

async function respond(
  call: Call,
  response: ServerResponse,
  protocol: Protocol,
  callMs: number,
): Promise<void> {
  const abandon = (why: Abandonment) => {
    if (call.abandoned) return;
    call.abandoned = why;
    call.onAbandoned?.(why);
  };
  const limit = setTimeout(() => {
    send(response, protocol.refuse(504, `no answer within ${callMs} ms; the work was stopped`));
    abandon('late');
  }, callMs);
  response.on('close', () => {
    clearTimeout(limit);
    if (!response.writableFinished) abandon('left');
  });
  const answer = await protocol.answer(call).catch((error: unknown) => {
    if (error instanceof Refusal) return protocol.refuse(error.status, error.message);
    return protocol.refuse(500, reasonOf(error));
  });
  clearTimeout(limit);
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
