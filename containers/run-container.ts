// What every container does around its work: a pool, a log, loops side by side with one heartbeat for all of them,
// probes, a drain when the signal comes, and a farewell. Any number of instances may run; what they share out between
// them is the work's own business.

import { hostname } from 'node:os';
import { createLog, type Log, type LogFields, type LogLevel } from '../shared/log.ts';
import { beat } from '../shared/operations/beat.ts';
import type { Heartbeat } from '../shared/operations/heartbeat.ts';
import { signOff } from '../shared/operations/sign-off.ts';
import { retiredSettings } from '../shared/retired-settings.ts';
import { openPool, type Pool } from './database.ts';
import { type LoopOptions, type LoopState, runLoop } from './loop.ts';
import { openProbes } from './probes.ts';
import { within } from './time-limit.ts';

const statementTimeoutMs = 10_000;
const stuckAfterMs = 60_000;
const closeTimeoutMs = 5_000;

export interface ContainerSettings {
  logLevel: LogLevel;
  heartbeatMs: number;
  probePort: number | undefined;
  database: { url: string; min: number; max: number };
}

/** What the work is given. */
export interface Tools {
  db: Pool;
  log: Log;
  instance: string;
  signal: AbortSignal;
}

type Condition = Pick<Heartbeat, 'healthy' | 'detail'>;

/** One of the loops; its name begins its log events. */
export interface Part {
  step: () => Promise<number>;
  idleMs: LoopOptions['idleMs'];
  /** A step that takes longer is told as stuck; the process ends, to be started anew, when it takes `endAfterMs`. */
  stuck?: { afterMs: number; endAfterMs: number };
  heartbeat: (state: LoopState) => Condition | Promise<Condition>;
}

export interface Work {
  /** Told once when it starts. */
  about: LogFields;
  parts: Record<string, Part>;
  /** Resolves when what the loops left running has ended, too. */
  ended?: () => Promise<unknown>;
  /** Connections of its own. Does not throw. */
  close?: () => Promise<unknown>;
}

/** Runs until the signal, or until a part is given up. `drained` is false when something had to be left behind. */
export function runContainer(
  name: string,
  settings: ContainerSettings,
  env: Record<string, string | undefined>,
  signal: AbortSignal,
  open: (tools: Tools) => Work | Promise<Work>,
  { drainTimeoutMs = 20_000 } = {},
): Promise<{ drained: boolean }> {
  const db = openPool({ ...settings.database, applicationName: name, timeoutMs: statementTimeoutMs });
  const home: Home = {
    beat: (heartbeat) => beat(db, heartbeat),
    stats: () => ({ ...db.stats() }),
    signOff: (instance) => signOff(db, name, instance),
    close: () => db.close(),
  };
  const work = (tools: Omit<Tools, 'db'>) => open({ db, ...tools });
  return runParts(name, settings, env, signal, work, home, drainTimeoutMs);
}

/** The same without a database: nobody but its probes hears its heartbeats. */
export function runStateless(
  name: string,
  settings: Omit<ContainerSettings, 'database'>,
  env: Record<string, string | undefined>,
  signal: AbortSignal,
  open: (tools: Omit<Tools, 'db'>) => Work | Promise<Work>,
): Promise<{ drained: boolean }> {
  const nowhere = async () => {};
  const home: Home = { beat: nowhere, stats: () => ({}), signOff: nowhere, close: nowhere };
  return runParts(name, settings, env, signal, open, home, 20_000);
}

/** Where a container tells how it is. */
interface Home {
  beat: (heartbeat: Heartbeat) => Promise<void>;
  /** Added to what it tells. */
  stats: () => Condition['detail'];
  signOff: (instance: string) => Promise<void>;
  close: () => Promise<void>;
}

async function runParts(
  name: string,
  settings: Omit<ContainerSettings, 'database'>,
  env: Record<string, string | undefined>,
  signal: AbortSignal,
  open: (tools: Omit<Tools, 'db'>) => Work | Promise<Work>,
  home: Home,
  drainTimeoutMs: number,
): Promise<{ drained: boolean }> {
  const instance = `${hostname()}-${process.pid}`;
  const ending = new AbortController();
  const stopping = AbortSignal.any([signal, ending.signal]);
  const log = createLog(settings.logLevel, { process: name, instance });
  for (const line of retiredSettings(env)) log.warn('retired_setting', { message: line });

  const probes = await openProbes(settings.probePort);
  const work = await open({ log, instance, signal: stopping });
  log.info(`${name}_started`, work.about);

  const tell = probes.watching(home.beat);
  const told = new Map<string, Condition>();
  const beatTogether = () =>
    tell({
      process: name,
      instance,
      healthy: [...told.values()].every(({ healthy }) => healthy),
      detail: Object.assign({ ...home.stats() }, ...[...told.values()].map(({ detail }) => detail)),
    });
  const loops = Object.entries(work.parts).map(([part, { step, idleMs, heartbeat, stuck }]) =>
    runLoop({
      name: part,
      step,
      idleMs,
      backoff: { minMs: 200, maxMs: 5_000 },
      beat: async (state, stepMs) => {
        if (stuck && stepMs > stuck.endAfterMs && !stopping.aborted) {
          log.error(`${part}_given_up`, { step_ms: Math.round(stepMs) });
          ending.abort();
        }
        told.set(part, await heartbeat(state));
        await beatTogether();
      },
      heartbeatMs: settings.heartbeatMs,
      stuckAfterMs: stuck?.afterMs ?? stuckAfterMs,
      drainTimeoutMs,
      signal: stopping,
      log,
    }),
  );
  const ends = await Promise.all(loops);
  const rest = await within(drainTimeoutMs, Promise.resolve(work.ended?.())).then(
    () => true,
    () => false,
  );
  const drained = rest && ends.every((end) => end.drained);

  const close = async () => {
    await home.signOff(instance).catch(() => {});
    await Promise.all([work.close?.(), home.close(), probes.close()]);
  };
  await within(closeTimeoutMs, close()).catch(() => {});
  log.info(`${name}_stopped`, { drained });
  return { drained };
}
