// The projector's life: opens its sources and the vault, folds in several lanes until the signal, closes. Each lane is a
// reader of its own; which aggregates they work on is settled by locks in the database, as between processes.

import { countWaiting } from '../../shared/dead-letters/count-waiting.ts';
import type { Log } from '../../shared/log.ts';
import { forgetOldAttempts } from '../../shared/servicing/count-attempt.ts';
import type { LoopState } from '../loop.ts';
import { type Part, runContainer, type Tools, type Work } from '../run-container.ts';
import { openDeadLetterStream } from './dead-letter-stream.ts';
import { type ProjectorSettings, readProjectorSettings } from './env.ts';
import { openInboxSource } from './inbox-source.ts';
import { openKafkaSource } from './kafka-source.ts';
import { projecting } from './project.ts';
import { openRedisSource } from './redis-source.ts';
import type { Source, SourceState } from './source.ts';
import { createTally, type Tally } from './tally.ts';
import { openVault } from './vault.ts';

/** Health hears of a lane that hangs well within half a minute. */
const stuck = { afterMs: 20_000, endAfterMs: 60_000 };
const blockMs = 250;
const tendEveryMs = 10_000;

/** Throws SettingsFault. */
export function run(env: Record<string, string | undefined>, signal: AbortSignal) {
  const settings = readProjectorSettings(env);
  return runContainer('projector', settings, env, signal, (tools) => openProjector(settings, tools));
}

function openProjector(settings: ProjectorSettings, { db, log }: Pick<Tools, 'db' | 'log'>): Work {
  const { masterKeys, rules, deadLetters, batchSize, idleMs } = settings;
  const tools = { vault: openVault(masterKeys), rules };
  const deadLetterStream = deadLetters && openDeadLetterStream(deadLetters.url, deadLetters.stream);
  const tally = createTally();

  const lanes = openLanes(settings, log);
  const inbox = openInboxSource(db, settings.claimAfterMs);
  /** One of each kind can tell and tend for all lanes. */
  const sources = [...lanes.filter(({ lane }) => lane === 1).map(({ source }) => source), inbox];

  const reading = (name: string, source: Source): Part => ({
    ...projecting({ db, source, deadLetterStream, tools, batchSize, tally, log }),
    idleMs,
    stuck,
    heartbeat: (state) => ({ healthy: isWell(state), detail: { [name]: state.condition } }),
  });
  return {
    about: { lanes: settings.lanes, batch_size: batchSize },
    parts: {
      ...Object.fromEntries(lanes.map(({ name, source }) => [name, reading(name, source)])),
      inbox: reading('inbox', inbox),
      tend: {
        step: async () => {
          for (const source of sources) await source.tend();
          await forgetOldAttempts(db);
          return 0;
        },
        idleMs: tendEveryMs,
        heartbeat: async (state) => ({
          healthy: isWell(state),
          detail: { tend: state.condition, ...(await told(db, sources, tally)) },
        }),
      },
    },
    close: () =>
      Promise.all([...lanes.map(({ source }) => source), inbox, deadLetterStream].map((one) => one?.close())),
  };
}

const isWell = ({ condition }: LoopState) => condition === 'running' || condition === 'draining';

interface OpenLane {
  name: string;
  /** From 1. */
  lane: number;
  source: Source;
}

/** As many readers of each kind of source as there are lanes. */
function openLanes(settings: ProjectorSettings, log: Log): OpenLane[] {
  const { group, claimAfterMs, redis, kafka, batchSize } = settings;
  const common = { group, claimAfterMs, blockMs };
  const open: OpenLane[] = [];
  for (let lane = 1; lane <= settings.lanes; lane++) {
    if (redis) {
      const consumer = `${settings.consumer}-${lane}`;
      open.push({ name: `redis_${lane}`, lane, source: openRedisSource({ ...common, ...redis, consumer }) });
    }
    if (kafka) {
      const source = openKafkaSource({ ...common, ...kafka, buffered: 2 * batchSize }, log);
      open.push({ name: `kafka_${lane}`, lane, source });
    }
  }
  return open;
}

/** What a heartbeat tells of the events, beside how the lanes are. What cannot be asked now is null. */
async function told(db: Tools['db'], sources: readonly Source[], tally: Tally) {
  const asked = await Promise.all(sources.map((source) => source.state().catch(() => undefined)));
  const streams = asked.every((states) => states !== undefined) ? asked.flat() : null;
  const sum = (of: (state: SourceState) => number) =>
    streams?.reduce((total, state) => total + of(state), 0) ?? null;
  const letters = Object.values(await countWaiting(db));
  return {
    waiting: sum((state) => state.waiting),
    pending: sum((state) => state.pending),
    oldest_pending_seconds: streams && Math.max(0, ...streams.map((state) => state.oldestPendingSeconds)),
    events_per_second: tally.rate(),
    ...tally.totals(),
    dead_letters: letters.reduce((total, waiting) => total + waiting, 0),
    streams,
    unhandled: tally.unhandled(),
  };
}
