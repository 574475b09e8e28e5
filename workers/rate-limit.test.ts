import type { Redis } from '@upstash/redis/cloudflare';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { RateLimit } from './rate-limit.ts';

const start = Date.UTC(2026, 10, 23, 10, 0, 30);
beforeEach(() => {
  vi.useFakeTimers({ now: start });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A Redis whose script answers as told: what was used and what the limit is. */
function fakeRedis(answer: () => Promise<[used: number, limit: number]>) {
  const state = { asked: 0 };
  const redis = {
    evalsha: () => {
      state.asked += 1;
      return answer();
    },
  } as unknown as Redis;
  return { open: () => redis, state };
}
const away = () => fakeRedis(() => Promise.reject(new TypeError('fetch failed')));
const silent = () => fakeRedis(() => new Promise(() => {}));
const ask = (limit: RateLimit, open: () => Redis, source = 'bank:192.0.2.1') =>
  limit.secondsToWait(source, open, Date.now());

test('while Redis is away everybody passes, and it is asked again only after two seconds', async () => {
  const { open, state } = away();
  const limit = new RateLimit(1);
  for (let i = 0; i < 50; i++) expect(await ask(limit, open)).toBe(undefined);
  expect(state.asked).toBe(1);
  vi.advanceTimersByTime(1_999);
  await ask(limit, open);
  expect(state.asked).toBe(1);
  vi.advanceTimersByTime(1);
  expect(await ask(limit, open)).toBe(undefined);
  expect(state.asked).toBe(2);
});

test('a Redis that does not answer is waited for 250 ms, and then everybody passes', async () => {
  const { open, state } = silent();
  const limit = new RateLimit(100);
  let answer: number | undefined | 'waiting' = 'waiting';
  const asked = ask(limit, open).then((seconds) => {
    answer = seconds;
  });
  await vi.advanceTimersByTimeAsync(249);
  expect(answer).toBe('waiting');
  await vi.advanceTimersByTimeAsync(1);
  await asked;
  expect(answer).toBe(undefined);
  for (let i = 0; i < 50; i++) expect(await ask(limit, open)).toBe(undefined);
  expect(state.asked).toBe(1);
});

test('who waits for Redis does not hold up those who may draw on the same portion', async () => {
  const { open, state } = silent();
  const limit = new RateLimit(1_000);
  void ask(limit, open);
  for (let i = 0; i < 9; i++) expect(await ask(limit, open)).toBe(undefined);
  expect(state.asked).toBe(1);
  void ask(limit, open);
  expect(state.asked).toBe(2);
  await vi.advanceTimersByTimeAsync(250);
});

test('a source over its limit waits for the next minute, and Redis is not asked meanwhile', async () => {
  const { open, state } = fakeRedis(async () => [101, 100]);
  const limit = new RateLimit(100);
  expect(await ask(limit, open)).toBe(30);
  vi.advanceTimersByTime(10_500);
  expect(await ask(limit, open)).toBe(20);
  expect(state.asked).toBe(1);
  vi.advanceTimersByTime(19_500);
  await ask(limit, open);
  expect(state.asked).toBe(2);
});

test('a source within its limit asks Redis once per portion', async () => {
  const { open, state } = fakeRedis(async () => [1, 1_000]);
  const limit = new RateLimit(1_000);
  for (let i = 0; i < 100; i++) expect(await ask(limit, open)).toBe(undefined);
  expect(state.asked).toBe(10);
});

test('one source’s trouble is not another’s', async () => {
  const limit = new RateLimit(100);
  const over = fakeRedis(async () => [101, 100]);
  expect(await ask(limit, over.open, 'bank:192.0.2.1')).toBe(30);
  expect(await ask(limit, away().open, 'bank:192.0.2.2')).toBe(undefined);
  expect(await ask(limit, over.open, 'bank:192.0.2.1')).toBe(30);
});
