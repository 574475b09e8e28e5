// The edge's way to Redis: Upstash's REST client, made anew for every use, because its I/O belongs to one request.
// No retries (a counter would count twice) and a short timeout: nothing that matters waits for Redis.

import { Redis } from '@upstash/redis/cloudflare';
import type { Sample } from '../shared/metrics.ts';

export interface EdgeRedisSettings {
  url: string;
  token: string;
}

export const openRedis = ({ url, token }: EdgeRedisSettings, timeoutMs: number): Redis =>
  new Redis({
    url,
    token,
    automaticDeserialization: false,
    enableTelemetry: false,
    retry: false,
    signal: () => AbortSignal.timeout(timeoutMs),
  });

/** Hash of every series the Workers have counted; /metrics reads it. */
export const countsKey = 'recoup:counts';

/** Hash of what one business day's statistics need of them; it goes when nobody can ask for that day any more. */
export const dayCountsKey = (day: string): string => `recoup:counts:${day}`;
export const dayCountsTtlSeconds = 3 * 86_400;

/** What a hash of counts holds; empty when there is none. Throws when Redis is away. */
export async function readCounts(redis: Redis, key: string): Promise<Sample[]> {
  // Without deserialising the client answers names and values in turn.
  const flat = ((await redis.hgetall(key)) ?? []) as unknown as string[];
  return flat.flatMap((series, i) => (i % 2 === 0 ? [{ series, value: Number(flat[i + 1]) }] : []));
}
