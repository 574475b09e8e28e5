// Limits requests per source and minute with @upstash/ratelimit. Each isolate takes a portion of the limit at a
// time and spends it from memory, so that Redis is asked once per portion and not once per request. When Redis is
// away or slow everybody passes: refusing a payment or a colleague would cost more than serving them.

import { Ratelimit } from '@upstash/ratelimit';
import type { Redis } from '@upstash/redis/cloudflare';

export const rateLimitTimeoutMs = 250;
const sourcesLimit = 10_000;
const awayMs = 2_000;

/** What this isolate may still let through until a time (milliseconds). */
interface Lease {
  left: number;
  until: number;
  denied: boolean;
}

export class RateLimit {
  #perMinute: number;
  #portion: number;
  #leases = new Map<string, Lease>();

  constructor(perMinute: number, portions = 100) {
    this.#perMinute = perMinute;
    this.#portion = Math.max(1, Math.floor(perMinute / portions));
  }

  /** Undefined when the source may go on, else the seconds until it may. */
  async secondsToWait(source: string, openRedis: () => Redis, now: number): Promise<number | undefined> {
    const held = this.#leases.get(source);
    if (held && held.until > now) {
      if (held.denied) return Math.ceil((held.until - now) / 1000);
      if (held.left > 0) {
        held.left -= 1;
        return undefined;
      }
    }
    // Requests that arrive while the answer is awaited draw on the portion that has been asked for.
    const lease: Lease = { left: this.#portion - 1, until: now + rateLimitTimeoutMs, denied: false };
    this.#keep(source, lease);
    const limiter = new Ratelimit({
      redis: openRedis(),
      limiter: Ratelimit.fixedWindow(this.#perMinute, '60 s'),
      timeout: rateLimitTimeoutMs,
      ephemeralCache: false,
      prefix: 'recoup:rate',
    });
    const answer = await limiter.limit(source, { rate: this.#portion }).catch(() => undefined);
    if (!answer || answer.reason === 'timeout') {
      lease.left = Number.POSITIVE_INFINITY;
      lease.until = now + awayMs;
      return undefined;
    }
    lease.until = answer.reset;
    lease.denied = !answer.success;
    return answer.success ? undefined : Math.max(1, Math.ceil((answer.reset - now) / 1000));
  }

  #keep(source: string, lease: Lease): void {
    this.#leases.delete(source);
    this.#leases.set(source, lease);
    if (this.#leases.size > sourcesLimit) this.#leases.delete(this.#leases.keys().next().value as string);
  }
}
