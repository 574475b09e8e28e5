// The stream of accepted arrivals as a drain sees it: a consumer group whose entries are read, settled and then gone.

import { ErrorReply } from 'redis';
import { openRedisGroup, type RawEntry } from '../redis-group.ts';

const group = 'drain';
const callTimeoutMs = 10_000;
const askTimeoutMs = 2_000;
/** Every buried entry is in Postgres, too; here about so many are kept. */
const buriedKept = 100_000;

export interface Entry {
  id: string;
  /** Undefined when the entry has no such field, null when somebody has deleted the entry itself. */
  arrival: string | undefined | null;
}

export interface Durability {
  /** Unknown where Redis does not let us ask, as at Upstash. */
  store: 'durable' | 'not_durable' | 'unknown';
  /** Each setting that is not as it must be. */
  faults: string[];
}

/** What a Redis must say of itself so that `accepted` is a true answer. */
const durable = { appendonly: 'yes', appendfsync: 'always', 'maxmemory-policy': 'noeviction' };

export interface StreamOptions {
  url: string;
  stream: string;
  consumer: string;
  /** An entry whose reader has been quiet for so long is stale. */
  claimAfterMs: number;
}

export type AcceptedStream = ReturnType<typeof openAcceptedStream>;

function entryOf([id, fields]: RawEntry): Entry {
  if (fields === null) return { id, arrival: null };
  const at = fields.findIndex((name, i) => i % 2 === 0 && name === 'arrival');
  return { id, arrival: at < 0 ? undefined : fields[at + 1] };
}

export function openAcceptedStream({ url, stream, consumer, claimAfterMs }: StreamOptions) {
  const redis = openRedisGroup({ url, streams: [stream], group, consumer });
  let claimFrom = '0-0';

  const read = async (from: '>' | ['0'], count: number) => {
    const [entries] = await redis.read(from, count);
    return entries ? entries[1].map(entryOf) : [];
  };

  return {
    stream,

    /** What this consumer has read and not settled. */
    own: (count: number) => read(['0'], count),

    /** What others have read and not settled for long; it is this consumer's from now on. */
    async stale(count: number) {
      const { next, entries } = await redis.claim(stream, claimAfterMs, claimFrom, count);
      claimFrom = next;
      return entries.map(entryOf);
    },

    /** What nobody has read yet. */
    fresh: (count: number) => read('>', count),

    /** Acknowledges and deletes in one step: an entry that is left is one that has to be done. */
    settle: (ids: string[]) =>
      redis.use(callTimeoutMs, (client) => client.multi().xAck(stream, group, ids).xDel(stream, ids).exec()),

    /** Moves an entry to the stream's `dlq:` twin. */
    bury: ({ id, arrival }: Entry, reason: string) =>
      redis.use(callTimeoutMs, (client) =>
        client
          .multi()
          .xAdd(
            `dlq:${stream}`,
            '*',
            { entry_id: id, reason, arrival: arrival ?? '' },
            { TRIM: { strategy: 'MAXLEN', strategyModifier: '~', threshold: buriedKept } },
          )
          .xAck(stream, group, id)
          .xDel(stream, id)
          .exec(),
      ),

    /** How many entries there are, and the age of the oldest by its id. */
    backlog: () =>
      redis.use(askTimeoutMs, async (client) => {
        const [waiting, oldest] = await Promise.all([
          client.xLen(stream),
          client.xRange(stream, '-', '+', { COUNT: 1 }),
        ]);
        const [first] = oldest ?? [];
        const since = first && Number.parseInt(first.id, 10);
        const oldestMs = since === undefined ? 0 : Math.max(0, Date.now() - since);
        return { waiting, oldestSeconds: Math.round(oldestMs / 100) / 10 };
      }),

    durability: () =>
      redis.use(askTimeoutMs, async (client): Promise<Durability> => {
        const faults: string[] = [];
        for (const [name, wanted] of Object.entries(durable)) {
          const answer = await client.configGet(name).catch((error) => {
            if (!(error instanceof ErrorReply)) throw error;
            return {} as Record<string, string>;
          });
          const value = answer[name];
          if (value === undefined) return { store: 'unknown', faults: [] };
          if (value !== wanted) faults.push(`${name} is ${value} and must be ${wanted}`);
        }
        return { store: faults.length === 0 ? 'durable' : 'not_durable', faults };
      }),

    forgetDead: () => redis.forgetGone(askTimeoutMs),
    leave: redis.leave,
  };
}
