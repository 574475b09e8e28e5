import type { Redis } from '@upstash/redis/cloudflare';
import { describe, expect, test } from 'vitest';
import { markKey, markValue, SeenInMemory, seenInRedis } from './seen-payments.ts';

const seenAs = (n: number) => ({ paymentId: `payment-${n}`, factsHash: `facts-${n}` });

describe('in memory', () => {
  test('a payment is remembered with its facts, the last ones told', () => {
    const seen = new SeenInMemory(2);
    expect(seen.get('a')).toBe(undefined);
    seen.set('a', seenAs(1));
    seen.set('a', seenAs(2));
    expect(seen.get('a')).toEqual(seenAs(2));
  });

  test('the one that was longest not asked for is forgotten first', () => {
    const seen = new SeenInMemory(2);
    seen.set('a', seenAs(1));
    seen.set('b', seenAs(2));
    seen.get('a');
    seen.set('c', seenAs(3));
    expect(['a', 'b', 'c'].map((identity) => seen.get(identity)?.paymentId)).toEqual([
      'payment-1',
      undefined,
      'payment-3',
    ]);
    seen.set('a', seenAs(4));
    seen.set('d', seenAs(5));
    expect(['a', 'c', 'd'].map((identity) => seen.get(identity)?.paymentId)).toEqual([
      'payment-4',
      undefined,
      'payment-5',
    ]);
  });

  test('a size of 0 remembers nothing', () => {
    const seen = new SeenInMemory(0);
    seen.set('a', seenAs(1));
    expect(seen.get('a')).toBe(undefined);
  });
});

describe('in Redis', () => {
  const answering = (get: (key: string) => Promise<unknown>) => ({ get }) as unknown as Redis;

  test('a mark that was written is read as it was meant', async () => {
    const redis = answering(async (key) => (key === markKey('a') ? markValue(seenAs(1)) : null));
    expect(await seenInRedis(redis, 'a')).toEqual(seenAs(1));
    expect(await seenInRedis(redis, 'b')).toBe(undefined);
  });

  test('a Redis that is away is told apart from one that does not know', async () => {
    const redis = answering(async () => {
      throw new TypeError('fetch failed');
    });
    await expect(seenInRedis(redis, 'a')).rejects.toThrow('fetch failed');
  });

  test.each(['', ' ', 'payment-1', 'payment-1 ', ' facts-1'])(
    'the mark %j, half or empty, tells nothing',
    async (mark) => {
      expect(
        await seenInRedis(
          answering(async () => mark),
          'a',
        ),
      ).toBe(undefined);
    },
  );
});
