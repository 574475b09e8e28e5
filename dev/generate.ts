// `npm run generate`: appends made-up histories of servicing events to the stream that the projector reads, or writes them
// to a file. The same arguments give the same events.

import { createWriteStream } from 'node:fs';
import { parseArgs } from 'node:util';
import { readStagingSettings } from '../containers/ingest/env.ts';
import { HistoryFault, histories } from './histories/histories.ts';
import type { Entry } from './histories/senders.ts';
import { openLinesTarget, openStreamTarget, type Target } from './histories/targets.ts';
import { readRunning } from './running.ts';
import { loadEnvFile } from './stack/settings.ts';

const byDefault = {
  customers: '1000',
  events: '100000',
  seed: '1',
  duplicates: '0',
  disorder: '0',
  from: '2025-01-01',
  until: '2026-11-01',
  to: 'redis',
  stream: 'inbox:billie-servicing',
  limit: '100000',
};
const batchSize = 500;

const usage = `Usage: npm run generate -- [--customers ${byDefault.customers}] [--events ${byDefault.events}] [--seed ${byDefault.seed}]
                           [--duplicates 0.02] [--disorder 0.05] [--from ${byDefault.from}] [--until ${byDefault.until}]
                           [--to redis|file.jsonl|-] [--stream ${byDefault.stream}] [--limit ${byDefault.limit}]

  --customers   how many customers there are
  --events      how many different events there are in all
  --seed        a whole number; the same one gives the same events
  --duplicates  the share of events that come twice, 0 to 1
  --disorder    the share of events that come late, 0 to 1
  --from        the first day, --until the last one
  --to          redis: appends to a stream of REDIS_URL, else of the Redis that \`npm start\` runs here;
                a file, or - for standard output: one JSON object of fields a line
  --stream      the stream's name
  --limit       so many entries at most in the stream: then it waits until whoever reads them trims it

  Times without an offset are of BUSINESS_TIME_ZONE, amounts are of DEFAULT_CURRENCY.`;

function readArguments() {
  const texts = Object.entries(byDefault).map(
    ([name, value]) => [name, { type: 'string' as const, default: value }] as const,
  );
  const { values } = parseArgs({
    options: Object.fromEntries(texts) as Record<keyof typeof byDefault, { type: 'string'; default: string }>,
  });
  const refuse = (name: string, what: string): never => {
    throw new Error(`--${name} expects ${what}\n\n${usage}`);
  };
  const whole = (name: 'customers' | 'events' | 'seed' | 'limit', minimum: number): number =>
    /^\d{1,9}$/.test(values[name]) && +values[name] >= minimum
      ? Number(values[name])
      : refuse(name, `a whole number, ${minimum} or more`);
  const share = (name: 'duplicates' | 'disorder'): number =>
    /^\d*\.?\d+$/.test(values[name]) && +values[name] <= 1
      ? Number(values[name])
      : refuse(name, 'a share from 0 to 1');
  const date = (name: 'from' | 'until'): string =>
    /^\d{4}-\d{2}-\d{2}$/.test(values[name]) && !Number.isNaN(Date.parse(values[name]))
      ? values[name]
      : refuse(name, 'a date, YYYY-MM-DD');
  return {
    customers: whole('customers', 1),
    events: whole('events', 1),
    seed: whole('seed', 0),
    duplicates: share('duplicates'),
    disorder: share('disorder'),
    from: date('from'),
    to: date('until'),
    target: values.to || refuse('to', 'redis, a file or -'),
    stream: values.stream || refuse('stream', 'a name'),
    limit: whole('limit', batchSize),
  };
}

/** Not to standard output, which may be what is written to. On a terminal a line that is written over. */
function progressOf(events: number) {
  const startedAt = performance.now();
  let told = 0;
  return (entries: number, isEnd = false) => {
    const rate = Math.round(entries / ((performance.now() - startedAt) / 1000));
    const tenth = Math.floor((entries / events) * 10);
    if (process.stderr.isTTY) process.stderr.write(`\r${entries} entries, ${rate}/s ${isEnd ? '\n' : ''}`);
    else if (isEnd || tenth > told) console.error(`${entries} entries, ${rate}/s`);
    told = tenth;
  };
}

async function send(entries: Iterable<Entry>, target: Target, events: number): Promise<void> {
  const progress = progressOf(events);
  let sent = 0;
  let batch: Entry[] = [];
  const flush = async () => {
    await target.take(batch);
    sent += batch.length;
    batch = [];
  };
  for (const entry of entries) {
    batch.push(entry);
    if (batch.length < batchSize) continue;
    await flush();
    progress(sent);
  }
  await flush();
  progress(sent, true);
}

try {
  const { target: to, stream, limit, ...wanted } = readArguments();
  loadEnvFile();
  const entries = histories({ ...wanted, ...readStagingSettings(process.env).business });
  const target =
    to === 'redis'
      ? await openStreamTarget({
          url: process.env.REDIS_URL || readRunning().redisUrl,
          stream,
          limit,
          waiting: (length) => console.error(`${stream} has ${length} entries: waiting for them to be read`),
        })
      : openLinesTarget(to === '-' ? process.stdout : createWriteStream(to), to !== '-');
  try {
    await send(entries, target, wanted.events);
  } finally {
    await target.close();
  }
} catch (error) {
  // Whoever read the output has enough.
  if ((error as NodeJS.ErrnoException).code === 'EPIPE') process.exit(0);
  const message = error instanceof Error ? error.message : String(error);
  console.error(error instanceof HistoryFault ? `there are no such histories: ${message}` : message);
  process.exitCode = 1;
}
