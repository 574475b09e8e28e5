// Where generated entries go: a Redis stream, or lines of JSON. A target takes batches, and no more of them than it can keep.

import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from 'redis';
import type { Entry } from './senders.ts';

export interface Target {
  take(entries: readonly Entry[]): Promise<void>;
  close(): Promise<void>;
}

const waitMs = 200;

/**
 * Appends to a stream as long as it has fewer than `limit` entries; then waits for whoever reads it to trim it, and calls
 * `waiting` once each time with how many there are.
 */
export async function openStreamTarget(options: {
  url: string;
  stream: string;
  limit: number;
  waiting: (entries: number) => void;
}): Promise<Target> {
  const { url, stream, limit, waiting } = options;
  const redis = createClient({
    url,
    RESP: 2,
    maintNotifications: 'disabled',
    socket: { connectTimeout: 3_000, reconnectStrategy: false },
  });
  let lost: Error | undefined;
  redis.on('error', (error) => {
    lost = error;
  });
  await redis.connect();
  return {
    async take(entries) {
      for (let told = false; ; told = true) {
        if (lost) throw lost;
        const length = await redis.xLen(stream);
        if (length + entries.length <= limit) break;
        if (!told) waiting(length);
        await sleep(waitMs);
      }
      // Sent together, answered together.
      await Promise.all(entries.map((entry) => redis.xAdd(stream, '*', entry)));
    },
    async close() {
      redis.destroy();
    },
  };
}

/** A line of JSON an entry. `end`: whether the output is closed afterwards. Throws what writing throws. */
export function openLinesTarget(output: Writable, end: boolean): Target {
  const failed = new Promise<never>((_, reject) => output.once('error', reject));
  failed.catch(() => {});
  const written = (text: string) =>
    new Promise<void>((resolve) => {
      if (output.write(text)) resolve();
      else output.once('drain', resolve);
    });
  return {
    take: (entries) =>
      Promise.race([failed, written(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''))]),
    close: async () => {
      if (end) await Promise.race([failed, new Promise<void>((resolve) => output.end(resolve))]);
    },
  };
}
