// `npm run dead-letters`: events that could not be read or folded; lists them, shows one whole, replays or discards
// them. In the database that DATABASE_URL names, else in the one that `npm start` runs here. Exits 1 when something
// that was asked for was not done.

import { parseArgs } from 'node:util';
import { openPool } from '../containers/database.ts';
import type { Database } from '../shared/database.ts';
import { countWaiting } from '../shared/dead-letters/count-waiting.ts';
import {
  type Chosen,
  type Decided,
  deadLetterStatuses,
  decidedAtOnce,
} from '../shared/dead-letters/dead-letter.ts';
import { discardDeadLetters } from '../shared/dead-letters/discard-dead-letters.ts';
import { replayDeadLetters } from '../shared/dead-letters/replay-dead-letters.ts';
import { isUuid } from '../shared/id.ts';
import { readDeadLetter, readDeadLetters } from '../shared/read/dead-letters.ts';
import { readRunning } from './running.ts';
import { loadEnvFile } from './stack/settings.ts';

const usage = `Usage: npm run dead-letters -- list [--status ${deadLetterStatuses.join('|')}] [--limit <1-1000>]
       npm run dead-letters -- show <id>                       whole, with what the event says
       npm run dead-letters -- replay <id> ...
       npm run dead-letters -- replay --all
       npm run dead-letters -- discard <id> ... --reason <text>
       npm run dead-letters -- discard --all --reason <text>

  --type <type>, --source <stream>   with list and --all: only these
  --reason-prefix <text>             with --all: only those whose reason begins with it`;

const actor = 'job:dead-letters';

type Values = ReturnType<typeof readArguments>['values'];

function readArguments() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      all: { type: 'boolean', default: false },
      status: { type: 'string', default: 'waiting' },
      limit: { type: 'string', default: '50' },
      type: { type: 'string' },
      source: { type: 'string' },
      'reason-prefix': { type: 'string' },
      reason: { type: 'string' },
    },
  });
  const [command, ...ids] = positionals;
  return { command, ids, values };
}

/** What others have sent must not drive the terminal. */
const visible = (text: string) => text.replace(/[^\P{Cc}\n]/gu, '\uFFFD');
const oneLine = (text: string) => text.replace(/\p{Cc}+/gu, ' ');

function table(rows: string[][]): string {
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0))) ?? [];
  const line = (row: string[]) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ');
  return rows.map((row) => line(row).trimEnd()).join('\n');
}

async function list(db: Database, { status: name, limit, type, source }: Values): Promise<void> {
  const status = deadLetterStatuses.find((known) => known === name);
  if (!status) throw new Error(`--status expects ${deadLetterStatuses.join(', ')}\n\n${usage}`);
  if (!/^\d{1,4}$/.test(limit) || +limit < 1 || +limit > 1000)
    throw new Error(`--limit expects 1 to 1000\n\n${usage}`);
  const { rows, next } = await readDeadLetters(db, { status, type, source }, undefined, Number(limit));
  if (rows.length > 0) {
    const cells = rows.map((row) => [row.id, row.buriedAt, row.source, row.type ?? '-', row.reason]);
    console.log(
      table([['ID', 'BURIED', 'SOURCE', 'TYPE', 'REASON'], ...cells].map((row) => row.map(oneLine))),
    );
  }
  if (next) console.log('... and older ones: raise --limit, or narrow it down');
  const waiting = Object.values(await countWaiting(db)).reduce((sum, count) => sum + count, 0);
  console.log(`waiting: ${waiting}`);
}

async function show(db: Database, id: string): Promise<void> {
  const letter = await readDeadLetter(db, id);
  if (!letter) throw new Error(`no such dead letter: ${id}`);
  const { fields, stack, ...rest } = letter;
  const shown = Object.entries(rest).map(([name, value]) => [name, oneLine(value ?? '-')]);
  console.log(table(shown));
  console.log(`\nfields\n${visible(JSON.stringify(fields, null, 2))}`);
  if (stack !== null) console.log(`\nstack\n${visible(stack)}`);
}

/** All means those that wait now, oldest first: one that is buried again meanwhile is not taken a second time. */
async function decideAll(decide: (chosen: Chosen, limit: number) => Promise<Decided>, filter: Values) {
  const chosen = {
    filter: { type: filter.type, source: filter.source, reasonPrefix: filter['reason-prefix'] },
  };
  const sum = await decide(chosen, decidedAtOnce);
  for (let remaining = sum.left; remaining > 0; ) {
    const { decided, left } = await decide(chosen, Math.min(remaining, decidedAtOnce));
    sum.decided += decided;
    sum.left = left;
    remaining = decided === 0 ? 0 : remaining - decided;
  }
  return sum;
}

async function decide(db: Database, what: 'replayed' | 'discarded', ids: string[], values: Values) {
  const deciding = (chosen: Chosen, limit: number) => {
    if (what === 'replayed') return replayDeadLetters(db, chosen, { actor, limit });
    return discardDeadLetters(db, chosen, { reason: values.reason as string, actor, limit });
  };
  const { decided, refused } = values.all
    ? await decideAll(deciding, values)
    : await deciding({ ids }, decidedAtOnce);
  for (const { id, status } of refused)
    console.error(status === null ? `${id}  no such dead letter` : `${id}  was ${status} before`);
  console.log(`${what}: ${decided}`);
  if (refused.length > 0) process.exitCode = 1;
}

async function run(db: Database, { command, ids, values }: ReturnType<typeof readArguments>): Promise<void> {
  if (command === 'list') return list(db, values);
  if (command === 'show') return show(db, ids[0] as string);
  return decide(db, command === 'replay' ? 'replayed' : 'discarded', ids, values);
}

/** Throws before anything is opened. */
function check({ command, ids, values }: ReturnType<typeof readArguments>): void {
  const narrowed = values.type ?? values.source ?? values['reason-prefix'];
  const decides = command === 'replay' || command === 'discard';
  if (!decides && command !== 'list' && command !== 'show') throw new Error(usage);
  const unknown = ids.filter((id) => !isUuid(id));
  if (unknown.length > 0) throw new Error(`no id of a dead letter: ${unknown.join(', ')}\n\n${usage}`);
  if (command === 'list' && ids.length > 0) throw new Error(usage);
  if (command === 'show' && ids.length !== 1) throw new Error(usage);
  if (decides && values.all === ids.length > 0) throw new Error(`either ids or --all\n\n${usage}`);
  if (decides && !values.all && narrowed !== undefined)
    throw new Error(`narrowing goes with --all\n\n${usage}`);
  if (ids.length > decidedAtOnce) throw new Error(`at most ${decidedAtOnce} ids at once`);
  if (command === 'discard' && !values.reason?.trim()) throw new Error(`--reason is needed\n\n${usage}`);
}

try {
  const given = readArguments();
  check(given);
  loadEnvFile();
  const url = process.env.DATABASE_URL || readRunning().databaseUrl;
  const db = openPool({ url, min: 0, max: 1, applicationName: 'recoup-dead-letters', timeoutMs: 60_000 });
  try {
    await run(db, given);
  } finally {
    await db.close();
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
