// The one polling loop of every container. It never gives up and never runs two steps at once.
//
//   a step                      what follows
//   did work                    the next step, at once
//   had nothing to do           the next step after idleMs
//   threw, nth time in a row    the next step after min * 2^(n-1), at most max, of which a random part up to half is
//                               taken off: with 200 and 5000 at most 200, 400, 800, 1600, 3200, 5000, 5000, ... ms
//   runs when the signal comes  it is waited for, for at most drainTimeoutMs; no further step

import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import type { Log } from '../shared/log.ts';
import { faultLog } from './fault-log.ts';
import { startHeart } from './heart.ts';
import { within } from './time-limit.ts';

export interface LoopOptions {
  /** Begins the names of its log events. */
  name: string;
  /** One bounded piece of work; answers how much was done, 0 for nothing. What it throws is tried again. */
  step: () => Promise<number>;
  /** A function decides the pause after every step that succeeded, by how much it did. */
  idleMs: number | ((done: number) => number);
  backoff: { minMs: number; maxMs: number };
  /**
   * Called every heartbeatMs and when the condition has changed, with how long the step runs that runs now (0 between
   * two). A heartbeat that takes longer counts as failed.
   */
  beat: (state: LoopState, stepMs: number) => Promise<void>;
  heartbeatMs: number;
  /** A step that runs longer is reported as stuck; it is not interrupted. */
  stuckAfterMs: number;
  drainTimeoutMs: number;
  signal: AbortSignal;
  log: Log;
}

export interface LoopState {
  condition: 'running' | 'failing' | 'stuck' | 'draining';
  /** Faults since the last step that succeeded. */
  failures: number;
}

/** Runs until the signal. `drained` is false when the last step was still running after drainTimeoutMs. */
export async function runLoop(options: LoopOptions): Promise<{ drained: boolean }> {
  const { name, step, idleMs, signal, log } = options;
  const faults = faultLog(log, name);
  let stepStartedAt: number | undefined;
  let stuckStep: number | undefined;
  let told: LoopState['condition'] | undefined;

  const stepTime = () => (stepStartedAt === undefined ? 0 : performance.now() - stepStartedAt);
  const state = (): LoopState => {
    const stepMs = stepTime();
    const stuck = stepMs > options.stuckAfterMs;
    if (stuck && stuckStep !== stepStartedAt) log.error(`${name}_stuck`, { step_ms: Math.round(stepMs) });
    stuckStep = stuck ? stepStartedAt : undefined;
    const condition = stuck ? 'stuck' : faults.failures > 0 ? 'failing' : 'running';
    return { condition: signal.aborted ? 'draining' : condition, failures: faults.failures };
  };

  const beat = () => {
    const current = state();
    told = current.condition;
    return options.beat(current, stepTime());
  };
  const heart = startHeart(beat, options.heartbeatMs, faultLog(log, `${name}_heartbeat`));

  /** Answers how long to wait for the next step. */
  const takeStep = async (): Promise<number> => {
    stepStartedAt = performance.now();
    try {
      const done = await step();
      faults.succeeded();
      if (typeof idleMs === 'function') return idleMs(done);
      return done > 0 ? 0 : idleMs;
    } catch (error) {
      faults.failed(error);
      return backoffMs(faults.failures, options.backoff, Math.random());
    } finally {
      stepStartedAt = undefined;
    }
  };

  const steps = async () => {
    while (!signal.aborted) {
      const pauseMs = await takeStep();
      if (state().condition !== told) heart.beatNow();
      await pause(pauseMs, signal);
    }
  };

  const running = steps();
  await aborted(signal);
  heart.beatNow();
  const drained = await within(options.drainTimeoutMs, running).then(
    () => true,
    () => false,
  );
  await heart.stop();
  return { drained };
}

/** The wait after the nth fault in a row; `random` is from 0 to 1. */
export function backoffMs(
  failures: number,
  { minMs, maxMs }: LoopOptions['backoff'],
  random: number,
): number {
  const full = Math.min(maxMs, minMs * 2 ** Math.min(failures - 1, 30));
  return Math.round(full * (1 - random / 2));
}

/** Ends early when the signal comes. Even a pause of nothing lets timers and signals have their turn. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await (ms === 0 ? turn() : sleep(ms, undefined, { signal }).catch(() => {}));
}

const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
