// `npm run replay -- --all`: puts what the drain has buried back into its stream, after what was wrong is mended; without
// arguments it lists what there is. Killed in between, an entry is in the stream twice, which changes nothing.

import { parseArgs } from 'node:util';
import { createClient } from 'redis';
import { openPool } from '../containers/database.ts';
import { askedBy } from '../shared/audit/asker.ts';
import { buriedArrivals, markReplayed } from '../shared/payments/bury-arrivals.ts';
import { readRunning } from './running.ts';
import { loadEnvFile } from './stack/settings.ts';

const usage = `Usage: npm run replay                          lists what is buried, with the reasons
       npm run replay -- --all                 puts all of it back
       npm run replay -- --entry <entry>       puts one back; may be repeated`;

try {
  const { values } = parseArgs({
    options: {
      all: { type: 'boolean', default: false },
      entry: { type: 'string', multiple: true, default: [] },
    },
  });
  if (values.all && values.entry.length > 0) throw new Error(usage);
  loadEnvFile();
  const url = process.env.DATABASE_URL || readRunning().databaseUrl;
  const db = openPool({ url, min: 0, max: 1, applicationName: 'recoup-replay', timeoutMs: 10_000 });
  const asked = askedBy(db, { actor: 'job:replay' });
  try {
    const buried = await buriedArrivals(db);
    const unknown = values.entry.filter((entry) => !buried.some(({ entryId }) => entryId === entry));
    if (unknown.length > 0) throw new Error(`not buried: ${unknown.join(', ')}\n\n${usage}`);
    const chosen = buried.filter(({ entryId }) => values.all || values.entry.includes(entryId));
    if (chosen.length === 0) {
      for (const { entryId, reason } of buried) console.log(`${entryId}  ${reason}`);
      console.log(`buried: ${buried.length}`);
    } else {
      const redis = createClient({
        url: process.env.ACCEPTED_REDIS_URL || readRunning().acceptedRedisUrl,
        socket: { reconnectStrategy: false },
      });
      await redis.connect();
      try {
        for (const one of chosen) {
          await redis.xAdd(one.stream, '*', { arrival: one.arrival });
          await markReplayed(asked, one);
        }
      } finally {
        redis.destroy();
      }
      console.log(`put back: ${chosen.length}`);
    }
  } finally {
    await db.close();
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
