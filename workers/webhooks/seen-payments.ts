// The two layers of deduplication in front of Postgres. They hold only what has been committed, with the hash of its
// facts, so a hit with equal facts is safe to answer as a duplicate; anything else is Postgres' to decide.

import type { Redis } from '@upstash/redis/cloudflare';

export interface Seen {
  paymentId: string;
  factsHash: string;
  /** Milliseconds; Redis alone tells it. */
  markedAt?: number | undefined;
}

export const redisAskTimeoutMs = 500;

/** Least recently used goes first. A size of 0 remembers nothing. */
export class SeenInMemory {
  #limit: number;
  #seen = new Map<string, Seen>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(identity: string): Seen | undefined {
    const seen = this.#seen.get(identity);
    if (seen) {
      this.#seen.delete(identity);
      this.#seen.set(identity, seen);
    }
    return seen;
  }

  set(identity: string, seen: Seen): void {
    if (this.#limit === 0) return;
    this.#seen.delete(identity);
    this.#seen.set(identity, seen);
    if (this.#seen.size > this.#limit) this.#seen.delete(this.#seen.keys().next().value as string);
  }
}

export const markKey = (identity: string): string => `recoup:seen:${identity}`;
export const markValue = ({ paymentId, factsHash, markedAt }: Seen): string =>
  `${paymentId} ${factsHash} ${markedAt ?? ''}`;

/** What Redis remembers. Throws when Redis is away. */
export async function seenInRedis(redis: Redis, identity: string): Promise<Seen | undefined> {
  const value = await redis.get<string>(markKey(identity));
  const [paymentId, factsHash, markedAt] = value?.split(' ') ?? [];
  return paymentId && factsHash
    ? { paymentId, factsHash, markedAt: Number(markedAt) || undefined }
    : undefined;
}
