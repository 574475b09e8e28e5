import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { createLog } from '../shared/log.ts';
import { backoffMs, type LoopOptions, type LoopState, runLoop } from './loop.ts';

type Changes = Partial<Omit<LoopOptions, 'signal' | 'log'>>;

/** A running loop, what it logged and how it said it was. */
function start(step: () => Promise<number>, changes: Changes = {}) {
  const stop = new AbortController();
  const events: Array<Record<string, unknown>> = [];
  const beats: LoopState[] = [];
  const ended = runLoop({
    name: 'work',
    step,
    idleMs: 10,
    backoff: { minMs: 1, maxMs: 4 },
    beat: async (state) => void beats.push(state),
    heartbeatMs: 60_000,
    stuckAfterMs: 60_000,
    drainTimeoutMs: 5_000,
    signal: stop.signal,
    log: createLog('debug', {}, (line) => events.push(JSON.parse(line))),
    ...changes,
  });
  const halt = () => {
    stop.abort();
    return ended;
  };
  return { events, beats, halt, ended };
}

test('while there is work the next step follows at once, and without work it waits', async () => {
  const work = [5, 5, 5];
  let steps = 0;
  const loop = start(
    async () => {
      steps += 1;
      return work.pop() ?? 0;
    },
    { idleMs: 60_000 },
  );
  await vi.waitUntil(() => steps === 4);
  await sleep(30);
  expect(steps).toBe(4);
  expect(await loop.halt()).toEqual({ drained: true });
});

test('an idle loop asks again after its pause', async () => {
  let steps = 0;
  const loop = start(async () => {
    steps += 1;
    return 0;
  });
  await vi.waitUntil(() => steps >= 3);
  await loop.halt();
});

test('a pause may depend on what the step before it did', async () => {
  const given: number[] = [];
  const work = [3, 0, 2, 0];
  const loop = start(async () => work.shift() ?? 0, {
    idleMs: (done) => {
      given.push(done);
      return given.length === 4 ? 60_000 : 1;
    },
  });
  await vi.waitUntil(() => given.length === 4);
  await sleep(30);
  await loop.halt();
  expect(given).toEqual([3, 0, 2, 0]);
});

test('steps never overlap', async () => {
  let running = 0;
  let most = 0;
  let steps = 0;
  const loop = start(async () => {
    running += 1;
    most = Math.max(most, running);
    await sleep(2);
    running -= 1;
    steps += 1;
    return 1;
  });
  await vi.waitUntil(() => steps >= 5);
  await loop.halt();
  expect(most).toBe(1);
});

test('each fault is logged once until a step succeeds, and then that it is over', async () => {
  const faults = ['a', 'a', 'b', 'a', 'b', '', 'a'];
  const loop = start(async () => {
    const fault = faults.shift();
    if (fault) throw new Error(fault);
    return 0;
  });
  await vi.waitUntil(() => loop.events.length === 5);
  await loop.halt();
  expect(loop.events.map(({ event, error, failures }) => [event, error ?? failures])).toEqual([
    ['work_failed', 'a'],
    ['work_failed', 'b'],
    ['work_recovered', 5],
    ['work_failed', 'a'],
    ['work_recovered', 1],
  ]);
});

test('an outage with ever new faults ends up saying nothing more', async () => {
  let steps = 0;
  const loop = start(async () => {
    steps += 1;
    throw new Error(`fault ${steps}`);
  });
  await vi.waitUntil(() => steps >= 25);
  await loop.halt();
  expect(loop.events).toHaveLength(20);
});

test('a step that throws before its first await is a fault like any other', async () => {
  let steps = 0;
  const loop = start(() => {
    steps += 1;
    throw new Error('at once');
  });
  await vi.waitUntil(() => steps >= 3);
  expect(await loop.halt()).toEqual({ drained: true });
});

test('the pause after a fault doubles up to its maximum, less a random part of up to half', () => {
  const waits = (random: number) =>
    [1, 2, 3, 4, 5, 6, 7, 1000].map((n) => backoffMs(n, { minMs: 200, maxMs: 5_000 }, random));
  expect(waits(0)).toEqual([200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
  expect(waits(1)).toEqual([100, 200, 400, 800, 1600, 2500, 2500, 2500]);
});

test('the heartbeat tells at once that steps fail and that they succeed again', async () => {
  let failing = false;
  const loop = start(async () => {
    if (failing) throw new Error('away');
    return 0;
  });
  await vi.waitUntil(() => loop.beats.at(-1)?.condition === 'running');
  failing = true;
  await vi.waitUntil(() => loop.beats.at(-1)?.condition === 'failing');
  expect(loop.beats.at(-1)?.failures).toBeGreaterThan(0);
  failing = false;
  await vi.waitUntil(() => loop.beats.at(-1)?.condition === 'running');
  await loop.halt();
});

test('a step that hangs is reported as stuck, by a heartbeat that goes on', async () => {
  const { promise: hanging, resolve: release } = Promise.withResolvers<number>();
  const loop = start(() => hanging, { heartbeatMs: 10, stuckAfterMs: 30 });
  await vi.waitUntil(() => loop.beats.filter((beat) => beat.condition === 'stuck').length >= 3);
  expect(loop.beats[0]?.condition).toBe('running');
  expect(loop.events.filter(({ event }) => event === 'work_stuck')).toHaveLength(1);
  release(0);
  await vi.waitUntil(() => loop.beats.at(-1)?.condition === 'running');
  await loop.halt();
});

test('a heartbeat that fails or hangs stops neither the steps nor the heartbeats', async () => {
  let beats = 0;
  let steps = 0;
  const loop = start(
    async () => {
      steps += 1;
      return 0;
    },
    {
      heartbeatMs: 10,
      beat: () => {
        beats += 1;
        if (beats === 1) return Promise.reject(new Error('database away'));
        return beats === 2 ? new Promise(() => {}) : Promise.resolve();
      },
    },
  );
  await vi.waitUntil(() => beats >= 4 && steps >= 4);
  await loop.halt();
  expect(loop.events.map(({ event }) => event)).toEqual([
    'work_heartbeat_failed',
    'work_heartbeat_failed',
    'work_heartbeat_recovered',
  ]);
});

test('the signal lets the step in progress finish and starts no other', async () => {
  let begun = 0;
  let finished = 0;
  const loop = start(async () => {
    begun += 1;
    await sleep(50);
    finished += 1;
    return 1;
  });
  await vi.waitUntil(() => begun === 1);
  expect(await loop.halt()).toEqual({ drained: true });
  expect([begun, finished]).toEqual([1, 1]);
  expect(loop.beats.at(-1)?.condition).toBe('draining');
});

test('the signal ends a pause at once', async () => {
  const loop = start(async () => 0, { idleMs: 60_000 });
  await vi.waitUntil(() => loop.beats.length > 0);
  const before = performance.now();
  await loop.halt();
  expect(performance.now() - before).toBeLessThan(1_000);
});

test('a step that outlasts the drain is left behind, and the answer says so', async () => {
  const loop = start(() => new Promise(() => {}), { drainTimeoutMs: 30 });
  await sleep(5);
  expect(await loop.halt()).toEqual({ drained: false });
});
