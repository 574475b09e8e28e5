// Events from Redis streams, all read through one consumer group: what this reader has not settled, then what others
// have left for long, then what is new. An inbox is trimmed behind its readers; a log is bounded by whoever writes it.

import type { RedisClient } from '../redis-client.ts';
import { type GroupOptions, openRedisGroup, type RawEntries } from '../redis-group.ts';
import type { Delivery, Source, SourceState } from './source.ts';

const callTimeoutMs = 10_000;
const askTimeoutMs = 2_000;
const tendTimeoutMs = 10_000;
/** What Redis cannot tell is counted, in pages, up to here; beyond, all that the stream holds counts as waiting. */
const countPage = 1_000;
const countedPages = 10;

export interface RedisSourceOptions extends Omit<GroupOptions, 'streams'> {
  /** Streams that are read by groups alone, and trimmed below what all of these are done with. */
  inboxes: readonly string[];
  /** Streams that others may read without a group: never trimmed here. */
  logs: readonly string[];
  /** An entry whose reader has been quiet for so long is stale. */
  claimAfterMs: number;
  /** The longest wait for new entries. */
  blockMs: number;
}

export function openRedisSource(options: RedisSourceOptions): Source {
  const { inboxes, logs, claimAfterMs, blockMs } = options;
  const streams = [...inboxes, ...logs];
  const group = openRedisGroup({ ...options, streams });
  const claimFrom = new Map<string, string>();
  /** How many streams had something new when last asked: COUNT is per stream, and so is their share of a batch. */
  let busy = 1;

  const shareOf = (limit: number, among: number) => Math.max(1, Math.floor(limit / Math.max(1, among)));

  const own = async (limit: number, held: (delivery: Delivery) => boolean) => {
    const found: Delivery[] = [];
    const after = new Map(streams.map((stream) => [stream, '0']));
    for (let more = true; more && found.length < limit; ) {
      more = false;
      for (const [stream, entries] of await group.read([...after.values()], limit)) {
        for (const [id, fields] of entries) {
          const delivery = deliveryOf(stream, id, fields);
          if (!held(delivery)) found.push(delivery);
          after.set(stream, id);
        }
        more ||= entries.length === limit;
      }
    }
    return found.slice(0, limit);
  };

  const stale = async (limit: number, held: (delivery: Delivery) => boolean) => {
    const count = shareOf(limit, streams.length);
    const claimed = await Promise.all(
      streams.map(async (stream): Promise<RawEntries[number]> => {
        const from = claimFrom.get(stream) ?? '0-0';
        const { next, entries } = await group.claim(stream, claimAfterMs, from, count);
        claimFrom.set(stream, next);
        return [stream, entries];
      }),
    );
    // Entries of ours that were held for long are among them.
    return deliveriesOf(claimed).filter((delivery) => !held(delivery));
  };

  const fresh = async (limit: number) => {
    const entries = await group.read('>', shareOf(limit, busy), blockMs);
    busy = entries.length;
    return deliveriesOf(entries);
  };

  return {
    async next(limit, held) {
      for (const some of [() => own(limit, held), () => stale(limit, held), () => fresh(limit)]) {
        const found = await some();
        // What is beyond the limit is ours now, and comes with the next call.
        if (found.length > 0) return found.slice(0, limit);
      }
      return [];
    },

    async settle(deliveries) {
      const byStream = Map.groupBy(deliveries, ({ source }) => source);
      await group.use(callTimeoutMs, (client) =>
        Promise.all(
          [...byStream].map(([stream, some]) =>
            client.xAck(
              stream,
              options.group,
              some.map(({ entryId }) => entryId),
            ),
          ),
        ),
      );
    },

    state: () =>
      group.use(askTimeoutMs, (client) =>
        Promise.all(
          streams.map(async (stream) => ({
            ...(await stateOf(client, stream, options.group)),
            ...(inboxes.includes(stream) && { kept: await client.xLen(stream) }),
          })),
        ),
      ),

    async tend() {
      await group.use(tendTimeoutMs, async (client) => {
        for (const stream of inboxes) await client.eval(trimScript, { keys: [stream] });
      });
      await group.forgetGone(tendTimeoutMs);
    },

    close: group.leave,
  };
}

const deliveriesOf = (raw: RawEntries): Delivery[] =>
  raw.flatMap(([stream, entries]) => entries.map(([id, fields]) => deliveryOf(stream, id, fields)));

const deliveryOf = (source: string, entryId: string, fields: string[] | null): Delivery => ({
  source,
  entryId,
  fields: fields && fieldsOf(fields),
});

/** A plain object, whose own field even `__proto__` is. */
function fieldsOf(raw: readonly string[]): Record<string, string> {
  const fields: Record<string, string> = {};
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] as string;
    const value = raw[i + 1] as string;
    if (name === '__proto__')
      Object.defineProperty(fields, name, { value, enumerable: true, configurable: true, writable: true });
    else fields[name] = value;
  }
  return fields;
}

async function stateOf(client: RedisClient, stream: string, name: string): Promise<SourceState> {
  const [info, groups, [pending, oldest]] = await Promise.all([
    client.sendCommand<Array<string | number>>(['XINFO', 'STREAM', stream]),
    client.sendCommand<Array<Array<string | number | null>>>(['XINFO', 'GROUPS', stream]),
    client.sendCommand<[number, string | null]>(['XPENDING', stream, name]),
  ]);
  const all = pairsOf(info);
  const group = groups.map(pairsOf).find((pairs) => pairs.get('name') === name);
  const lag = group?.get('lag');
  const read = String(group?.get('last-delivered-id') ?? '0-0');
  const since = oldest === null ? undefined : Number.parseInt(oldest, 10);
  const behind = async () =>
    typeof lag === 'number' ? Math.min(lag, Number(all.get('length'))) : countAfter(client, stream, read);
  return {
    source: stream,
    // After a rewrite of its file and a crash, Redis 7 says for good that a group lags by what it had read in between.
    waiting: read === all.get('last-generated-id') ? 0 : await behind(),
    pending,
    oldestPendingSeconds: since === undefined ? 0 : Math.max(0, Math.round((Date.now() - since) / 100) / 10),
  };
}

const pairsOf = <Value>(raw: readonly Value[]) =>
  new Map(raw.flatMap((name, i) => (i % 2 === 0 ? [[name, raw[i + 1]] as const] : [])));

/** Redis does not know how far a group is behind where entries were deleted from the middle, nor before version 7. */
async function countAfter(client: RedisClient, stream: string, id: string): Promise<number> {
  let counted = 0;
  let after = id;
  for (let page = 0; page < countedPages; page++) {
    const entries = (await client.xRange(stream, `(${after}`, '+', { COUNT: countPage })) ?? [];
    counted += entries.length;
    if (entries.length < countPage) return counted;
    after = (entries.at(-1) as { id: string }).id;
  }
  return client.xLen(stream);
}

/**
 * Trims below what every group has been given and has acknowledged. In one step, so that no group moves meanwhile. Ids
 * are compared as texts of digits: they are larger than what Lua's numbers keep.
 */
const trimScript = `
local function less(a, b) return #a < #b or (#a == #b and a < b) end
local function before(a, b)
  local ams, aseq = a:match('^(%d+)-(%d+)$')
  local bms, bseq = b:match('^(%d+)-(%d+)$')
  if ams == bms then return less(aseq, bseq) end
  return less(ams, bms)
end
local keep
for _, raw in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = {}
  for i = 1, #raw, 2 do group[raw[i]] = raw[i + 1] end
  local from = group['last-delivered-id']
  local oldest = redis.call('XPENDING', KEYS[1], group.name)[2]
  if oldest and before(oldest, from) then from = oldest end
  if not keep or before(from, keep) then keep = from end
end
if keep then redis.call('XTRIM', KEYS[1], 'MINID', keep) end
return 'OK'`;
