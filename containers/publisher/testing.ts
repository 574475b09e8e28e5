// For tests only: what stands in a log as a consumer sees it, a connection that can be cut, and the publisher as a
// process of its own.

import { randomUUID } from 'node:crypto';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { Kafka, logLevel } from 'kafkajs';
import { createClient } from 'redis';
import type { Published } from '../../shared/outbox/testing.ts';
import { type ContainerProcess, spawnContainer } from '../testing.ts';
import { within } from '../time-limit.ts';

export interface Appended extends Published {
  /** Kafka only. */
  eventType: string | undefined;
}

/** The whole stream, in its order. */
export async function readStream(url: string, stream: string): Promise<Appended[]> {
  const client = createClient({ url, socket: { reconnectStrategy: false } });
  await client.connect();
  try {
    const entries = (await client.xRange(stream, '-', '+')) ?? [];
    return entries.map(({ message }) => ({
      eventId: message.event_id as string,
      key: message.key as string,
      payload: message.payload as string,
      eventType: undefined,
    }));
  } finally {
    client.destroy();
  }
}

/** The whole topic; within a partition in its order. */
export async function readTopic(brokers: string, topic: string): Promise<Appended[]> {
  const kafka = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  const offsets = await admin.fetchTopicOffsets(topic);
  await admin.disconnect();
  const expected = offsets.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
  const found: Appended[] = [];
  if (expected === 0) return found;
  const consumer = kafka.consumer({ groupId: `test-${randomUUID()}` });
  await consumer.connect();
  try {
    await consumer.subscribe({ topic, fromBeginning: true });
    const { promise: complete, resolve } = Promise.withResolvers<void>();
    await consumer.run({
      eachMessage: async ({ message: { headers, key, value } }) => {
        found.push({
          eventId: String(headers?.event_id),
          key: String(key),
          payload: String(value),
          eventType: headers?.event_type?.toString(),
        });
        if (found.length === expected) resolve();
      },
    });
    await within(20_000, complete);
    return found;
  } finally {
    await consumer.disconnect();
  }
}

export interface Cuttable {
  port: number;
  /** Ends every connection and refuses new ones. */
  cut(): Promise<void>;
  mend(): Promise<void>;
}

/** A door in front of a server on this machine. */
export async function cuttable(targetPort: number): Promise<Cuttable> {
  const sockets = new Set<Socket>();
  let server: Server;
  const open = (port: number) =>
    new Promise<number>((resolve) => {
      server = createServer((client) => {
        const upstream = connect(targetPort, '127.0.0.1');
        for (const socket of [client, upstream]) {
          sockets.add(socket);
          socket.on('error', () => {}).on('close', () => sockets.delete(socket));
        }
        client.pipe(upstream).pipe(client);
      }).listen(port, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
    });
  const port = await open(0);
  return {
    port,
    cut: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
    mend: async () => void (await open(port)),
  };
}

/** A server that accepts connections and never says anything. */
export async function silent(): Promise<{ port: number; close(): void }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as { port: number }).port,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

export type PublisherProcess = ContainerProcess;

/** With nothing in its environment but what is given. */
export const spawnPublisher = (env: Record<string, string>): PublisherProcess =>
  spawnContainer('publisher', env);
