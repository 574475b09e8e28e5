import type { Redis } from '@upstash/redis/cloudflare';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Afterwards } from './afterwards.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A Redis that notes each pipeline it is sent, and fails while it is away. */
function fakeRedis() {
  const sent: unknown[][] = [];
  const state = { away: false, opened: 0 };
  const open = () => {
    state.opened += 1;
    const commands: unknown[] = [];
    const pipeline = {
      hincrby: (...args: unknown[]) => commands.push(['hincrby', ...args]),
      set: (...args: unknown[]) => commands.push(['set', ...args]),
      expire: (...args: unknown[]) => commands.push(['expire', ...args]),
      length: () => commands.length,
      exec: async () => {
        if (state.away) throw new Error('fetch failed');
        sent.push(commands);
      },
    };
    return { pipeline: () => pipeline } as unknown as Redis;
  };
  return { open, sent, state };
}

const works: Promise<unknown>[] = [];
const waitUntil = (work: Promise<unknown>) => void works.push(work);
async function settle() {
  await vi.advanceTimersByTimeAsync(100);
  await Promise.all(works.splice(0));
}

test('what several requests leave is sent once, together, a moment after the first answer', async () => {
  const { open, sent, state } = fakeRedis();
  const afterwards = new Afterwards();
  for (const mark of ['a', 'b']) {
    afterwards.counts.add('requests', {});
    afterwards.mark(mark, 'value', 60);
    afterwards.flushSoon(true, open, waitUntil);
  }
  await vi.advanceTimersByTimeAsync(99);
  expect(state.opened).toBe(0);
  await settle();
  expect(state.opened).toBe(1);
  expect(sent).toEqual([
    [
      ['hincrby', 'recoup:counts', 'requests', 2],
      ['set', 'a', 'value', { ex: 60 }],
      ['set', 'b', 'value', { ex: 60 }],
    ],
  ]);
});

test('what comes after a flush goes with the next one, and nothing is sent twice', async () => {
  const { open, sent } = fakeRedis();
  const afterwards = new Afterwards();
  for (const mark of ['a', 'b']) {
    afterwards.mark(mark, 'value', 60);
    afterwards.flushSoon(true, open, waitUntil);
    await settle();
  }
  expect(sent).toEqual([[['set', 'a', 'value', { ex: 60 }]], [['set', 'b', 'value', { ex: 60 }]]]);
  afterwards.flushSoon(true, open, waitUntil);
  await settle();
  expect(sent).toHaveLength(2);
});

test('while Redis is away counts wait for it, marks are forgotten, and nobody is disturbed', async () => {
  const { open, sent, state } = fakeRedis();
  const afterwards = new Afterwards();
  state.away = true;
  afterwards.counts.add('requests', {}, 3);
  afterwards.mark('a', 'value', 60);
  afterwards.flushSoon(true, open, waitUntil);
  await settle();
  state.away = false;
  afterwards.counts.add('requests', {});
  afterwards.flushSoon(true, open, waitUntil);
  await settle();
  expect(sent).toEqual([[['hincrby', 'recoup:counts', 'requests', 4]]]);
});

test('what the statistics of a day need is counted under the day of its sending as well, for three days', async () => {
  const { open, sent } = fakeRedis();
  const afterwards = new Afterwards();
  afterwards.counts.add('recoup_webhook_payments_total', { outcome: 'created' }, 2);
  afterwards.counts.observe('recoup_webhook_duration', { channel: 'a' }, 0.003, [0.005]);
  afterwards.counts.add('recoup_http_requests_total', {}, 5);
  afterwards.flushSoon(true, open, waitUntil, () => '2026-11-23');
  await settle();
  const day = 'recoup:counts:2026-11-23';
  expect((sent[0] as unknown[][]).filter(([, key]) => key === day)).toEqual([
    ['hincrby', day, 'recoup_webhook_payments_total{outcome="created"}', 2],
    ['hincrby', day, 'recoup_webhook_duration_seconds_count{channel="a"}', 1],
    ['hincrby', day, 'recoup_webhook_duration_microseconds_sum{channel="a"}', 3_000],
    ['expire', day, 259_200],
  ]);
  afterwards.counts.add('recoup_http_requests_total', {});
  afterwards.flushSoon(true, open, waitUntil, () => '2026-11-24');
  await settle();
  expect(sent[1]).toEqual([['hincrby', 'recoup:counts', 'recoup_http_requests_total', 1]]);
});

test('counts that nobody wants are dropped, and Redis is asked only where there are marks', async () => {
  const { open, sent, state } = fakeRedis();
  const afterwards = new Afterwards();
  afterwards.counts.add('requests', {});
  afterwards.flushSoon(false, open, waitUntil);
  await settle();
  expect(state.opened).toBe(0);
  afterwards.counts.add('requests', {});
  afterwards.mark('a', 'value', 60);
  afterwards.flushSoon(false, open, waitUntil);
  await settle();
  expect(sent).toEqual([[['set', 'a', 'value', { ex: 60 }]]]);
});

test('marks are bounded, the oldest go first', async () => {
  const { open, sent } = fakeRedis();
  const afterwards = new Afterwards();
  for (let i = 0; i < 5_001; i++) afterwards.mark(`mark ${i}`, 'value', 60);
  afterwards.flushSoon(true, open, waitUntil);
  await settle();
  const names = (sent[0] ?? []).map((command) => (command as string[])[1]);
  expect(names).toHaveLength(5_000);
  expect([names[0], names.at(-1)]).toEqual(['mark 1', 'mark 5000']);
});
