// A client of Redis that neither queues nor reconnects by itself: what cannot be sent now fails now.

import { createClient } from 'redis';

const connectTimeoutMs = 3_000;

export const redisClient = (url: string) =>
  createClient({
    url,
    RESP: 2,
    maintNotifications: 'disabled',
    disableOfflineQueue: true,
    socket: { connectTimeout: connectTimeoutMs, reconnectStrategy: false },
  });

export type RedisClient = ReturnType<typeof redisClient>;
