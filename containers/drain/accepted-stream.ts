// The stream of accepted arrivals as a drain sees it: a consumer group whose entries are read, settled and then gone.
// What was read and not settled stays with its reader, and goes to another one when that reader has been quiet for
// long. Every call has a limit; what Redis says is thrown as it is.

import { createClient, ErrorReply } from 'redis';
import { reconnecting } from '../reconnecting.ts';

const group = 'drain';
const connectTimeoutMs = 3_000;
const callTimeoutMs = 10_000;
const askTimeoutMs = 2_000;
const closeTimeoutMs = 2_000;
/** Every buried entry is in Postgres, too; here about so many are kept. */
const buriedKept = 100_000;
const forgetConsumersAfterMs = 60 * 60 * 1_000;

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

type RawEntry = [id: string, fields: string[] | null] | null;

function entryOf([id, fields]: NonNullable<RawEntry>): Entry {
  if (fields === null) return { id, arrival: null };
  const at = fields.findIndex((name, i) => i % 2 === 0 && name === 'arrival');
  return { id, arrival: at < 0 ? undefined : fields[at + 1] };
}
const entriesOf = (raw: RawEntry[]): Entry[] => raw.filter((entry) => entry !== null).map(entryOf);

export function openAcceptedStream({ url, stream, consumer, claimAfterMs }: StreamOptions) {
  const redis = reconnecting({
    create: (lost) =>
      createClient({
        url,
        RESP: 2,
        maintNotifications: 'disabled',
        disableOfflineQueue: true,
        socket: { connectTimeout: connectTimeoutMs, reconnectStrategy: false },
      }).on('error', lost),
    open: async (client) => {
      await client.connect();
      // From the beginning: what is settled is deleted, so whatever is there still has to be done.
      await client.xGroupCreate(stream, group, '0', { MKSTREAM: true }).catch((error) => {
        if (!/^BUSYGROUP/.test(error.message)) throw error;
      });
    },
    discard: (client) => client.destroy(),
  });
  let claimFrom = '0-0';

  const read = (from: '0' | '>', count: number) =>
    redis.use(callTimeoutMs, async (client) => {
      const command = [
        'XREADGROUP',
        'GROUP',
        group,
        consumer,
        'COUNT',
        String(count),
        'STREAMS',
        stream,
        from,
      ];
      const reply = await client.sendCommand<Array<[string, RawEntry[]]> | null>(command);
      return entriesOf(reply?.[0]?.[1] ?? []);
    });

  return {
    stream,

    /** What this consumer has read and not settled. */
    own: (count: number) => read('0', count),

    /** What others have read and not settled for long; it is this consumer's from now on. */
    stale: (count: number) =>
      redis.use(callTimeoutMs, async (client) => {
        const command = ['XAUTOCLAIM', stream, group, consumer, String(claimAfterMs), claimFrom];
        const reply = await client.sendCommand<[string, RawEntry[]]>([...command, 'COUNT', String(count)]);
        claimFrom = reply[0];
        return entriesOf(reply[1]);
      }),

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

    /** Consumers that have nothing and were quiet for an hour were killed once. */
    forgetDead: () =>
      redis.use(askTimeoutMs, async (client) => {
        for (const { name, pending, idle } of await client.xInfoConsumers(stream, group)) {
          if (pending > 0 || idle < forgetConsumersAfterMs) continue;
          await client.xGroupDelConsumer(stream, group, name);
        }
      }),

    /** Gives up this consumer's name where it holds nothing; what it holds waits to be claimed. */
    async leave() {
      await redis
        .use(closeTimeoutMs, async (client) => {
          const held = await client.xPendingRange(stream, group, '-', '+', 1, { consumer });
          if (held.length === 0) await client.xGroupDelConsumer(stream, group, consumer);
        })
        .catch(() => {});
      await redis.close(closeTimeoutMs);
    },
  };
}
