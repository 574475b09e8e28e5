// What requests leave to be written after their answers: counts, and marks of recorded payments. They are added up
// in the isolate's memory (plain data, which requests may share) and one of them sends them all a moment later.
// Losing them, with the isolate or with Redis, loses speed and statistics, never a payment.

import type { Redis } from '@upstash/redis/cloudflare';
import { Counts } from '../shared/metrics.ts';
import { countsKey, dayCountsKey, dayCountsTtlSeconds } from './redis.ts';

const pauseMs = 100;
const promiseMs = 1_000;
const marksLimit = 5_000;

/** What the statistics of a day are made of; everything else is only ever asked for since the beginning. */
const isOfTheDay = (series: string) =>
  /^recoup_webhook_(payments_total|duration_seconds_count|duration_microseconds_sum)\{/.test(series);

export class Afterwards {
  readonly counts = new Counts();
  #marks = new Map<string, { value: string; ttlSeconds: number }>();
  /** Until then another request is about to flush; if that request is cancelled meanwhile, the next one does. */
  #promisedUntil = 0;

  /** Remembers a key in Redis for a while. Beyond a bound the oldest marks are forgotten. */
  mark(key: string, value: string, ttlSeconds: number): void {
    this.#marks.set(key, { value, ttlSeconds });
    if (this.#marks.size > marksLimit) this.#marks.delete(this.#marks.keys().next().value as string);
  }

  /**
   * Sends what has gathered, unless another request is about to. Counts that nobody wants are dropped. `today` tells
   * the day that counts belong to when they are sent; without it none is counted by day.
   */
  flushSoon(
    wantCounts: boolean,
    openRedis: () => Redis,
    waitUntil: (work: Promise<unknown>) => void,
    today?: () => string,
  ): void {
    if (!wantCounts) this.counts.take();
    if (Date.now() < this.#promisedUntil || (!wantCounts && this.#marks.size === 0)) return;
    this.#promisedUntil = Date.now() + promiseMs;
    waitUntil(
      new Promise((resolve) => setTimeout(resolve, pauseMs)).then(() => {
        this.#promisedUntil = 0;
        return this.#flush(openRedis(), today?.());
      }),
    );
  }

  async #flush(redis: Redis, day: string | undefined): Promise<void> {
    const counts = this.counts.take();
    const marks = [...this.#marks];
    this.#marks.clear();
    const pipeline = redis.pipeline();
    for (const [series, count] of counts) pipeline.hincrby(countsKey, series, count);
    const ofTheDay = day === undefined ? [] : counts.filter(([series]) => isOfTheDay(series));
    if (day !== undefined && ofTheDay.length > 0) {
      for (const [series, count] of ofTheDay) pipeline.hincrby(dayCountsKey(day), series, count);
      pipeline.expire(dayCountsKey(day), dayCountsTtlSeconds);
    }
    for (const [key, { value, ttlSeconds }] of marks) pipeline.set(key, value, { ex: ttlSeconds });
    try {
      if (pipeline.length() > 0) await pipeline.exec();
    } catch {
      this.counts.restore(counts);
    }
  }
}
