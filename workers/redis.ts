// The edge's way to Redis: Upstash's REST client, made anew for every use, because its I/O belongs to one request.
// No retries (a counter would count twice) and a short timeout: nothing that matters waits for Redis.

import { Redis } from '@upstash/redis/cloudflare';

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
