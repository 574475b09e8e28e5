// A consumer group over one or several Redis streams, as one of its readers sees it. What was read and not acknowledged
// stays with its reader, and goes to another one when that reader has been quiet for long. The group is made where it
// is missing: from the beginning, because an entry that is there may still have to be done. Every call has a limit;
// what Redis says is thrown as it is, and the next call then begins with a new connection (and group).

import { reconnecting } from './reconnecting.ts';
import { type RedisClient, redisClient } from './redis-client.ts';

const callTimeoutMs = 10_000;
const closeTimeoutMs = 2_000;
const forgetReadersAfterMs = 60 * 60 * 1_000;

export interface GroupOptions {
  url: string;
  streams: readonly string[];
  group: string;
  /** This reader's name. Whoever takes it up again also takes up what was not acknowledged under it. */
  consumer: string;
}

/** Names and values in turn; null when somebody has deleted the entry itself. */
export type RawEntry = [id: string, fields: string[] | null];
export type RawEntries = Array<[stream: string, entries: RawEntry[]]>;

/**
 * Of one reader, or of all that were quiet for so many milliseconds, those that hold nothing. In one step, because what
 * a reader holds at the moment when its name is taken away is never delivered again.
 */
const forgetScript = `
for _, raw in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local reader = {}
  for i = 1, #raw, 2 do reader[raw[i]] = raw[i + 1] end
  local meant = ARGV[2] == reader.name or (ARGV[2] == '' and reader.idle >= tonumber(ARGV[3]))
  if meant and reader.pending == 0 then redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], reader.name) end
end
return 'OK'`;

export function openRedisGroup({ url, streams, group, consumer }: GroupOptions) {
  const redis = reconnecting({
    create: (lost) => redisClient(url).on('error', lost),
    open: async (client) => {
      await client.connect();
      await Promise.all(streams.map((stream) => createGroup(client, stream, group)));
    },
    discard: (client) => client.destroy(),
  });
  const forget = async (client: RedisClient, name: string) => {
    for (const stream of streams)
      await client.eval(forgetScript, {
        keys: [stream],
        arguments: [group, name, String(forgetReadersAfterMs)],
      });
  };

  return {
    use: redis.use,

    /**
     * At most `count` entries of each stream: with '>' those that nobody has read yet, for which it waits up to
     * `blockMs`; with an id for each stream, the entries after it that this reader has not acknowledged.
     */
    async read(from: '>' | readonly string[], count: number, blockMs?: number): Promise<RawEntries> {
      const ids = from === '>' ? streams.map(() => from) : from;
      const block = blockMs === undefined ? [] : ['BLOCK', String(blockMs)];
      const command = ['XREADGROUP', 'GROUP', group, consumer, 'COUNT', String(count), ...block];
      const limitMs = callTimeoutMs + (blockMs ?? 0);
      const reply = await redis.use(limitMs, (client) =>
        client.sendCommand<RawEntries | null>([...command, 'STREAMS', ...streams, ...ids]),
      );
      return reply ?? [];
    },

    /** What nobody has touched for so long is this reader's from now on. Answers too where to go on. */
    claim: (stream: string, minIdleMs: number, from: string, count: number) =>
      redis.use(callTimeoutMs, async (client) => {
        const command = [
          'XAUTOCLAIM',
          stream,
          group,
          consumer,
          String(minIdleMs),
          from,
          'COUNT',
          String(count),
        ];
        const [next, entries] = await client.sendCommand<[string, Array<RawEntry | null>]>(command);
        // Before version 7, Redis says null for what somebody has deleted.
        return { next, entries: entries.filter((entry) => entry !== null) };
      }),

    /** Readers that hold nothing and were quiet for an hour were killed once. */
    forgetGone: (limitMs: number) => redis.use(limitMs, (client) => forget(client, '')),

    /** Gives up this reader's name where it holds nothing; what it holds waits to be claimed. Does not throw. */
    async leave(): Promise<void> {
      await redis.use(closeTimeoutMs, (client) => forget(client, consumer)).catch(() => {});
      await redis.close(closeTimeoutMs);
    },
  };
}

async function createGroup(client: RedisClient, stream: string, group: string): Promise<void> {
  await client.xGroupCreate(stream, group, '0', { MKSTREAM: true }).catch((error) => {
    if (!/^BUSYGROUP/.test(error.message)) throw error;
  });
}
