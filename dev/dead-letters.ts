// `npm run dead-letters`: events that could not be read or folded; lists them, shows one whole, replays or discards
// them. In the database that DATABASE_URL names, else in the one that `npm start` runs here. Exits 1 when something
// that was asked for was not done.

import { parseArgs } from 'node:util';
import { openPool } from '../containers/database.ts';
import { askedBy } from '../shared/audit/asker.ts';
import { auditing } from '../shared/audit/auditing.ts';
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

/** An option that a command does not know might be meant to narrow it, so it is refused. */
const optionsOf: Record<string, readonly string[]> = {
  list: ['status', 'limit', 'type', 'source'],
  show: [],
  replay: ['all', 'type', 'source', 'reason-prefix'],
  discard: ['all', 'type', 'source', 'reason-prefix', 'reason'],
};

type Given = ReturnType<typeof readArguments>;
type Values = Given['values'];

function readArguments() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      all: { type: 'boolean' },
      status: { type: 'string' },
      limit: { type: 'string' },
      type: { type: 'string' },
      source: { type: 'string' },
      'reason-prefix': { type: 'string' },
      reason: { type: 'string' },
    },
  });
  const [command = '', ...ids] = positionals;
  const fault = faultOf(command, ids, values);
  if (fault !== undefined) throw new Error(`${fault}\n\n${usage}`);
  return { command, ids, values };
}

function faultOf(
  command: string,
  ids: string[],
  values: Readonly<Record<string, string | boolean | undefined>>,
): string | undefined {
  const options = Object.hasOwn(optionsOf, command) ? optionsOf[command] : undefined;
  if (!options) return `expected one of ${Object.keys(optionsOf).join(', ')}`;
  const alien = Object.keys(values).find((name) => !options.includes(name));
  if (alien !== undefined) return `--${alien} does not go with ${command}`;
  const noId = ids.find((id) => !isUuid(id));
  if (noId !== undefined) return `no id of a dead letter: ${noId}`;
  if (command === 'list') return ids.length > 0 ? 'list takes no ids' : undefined;
  if (command === 'show') return ids.length !== 1 ? 'show takes one id' : undefined;
  if (values.all ? ids.length > 0 : ids.length === 0) return 'either ids or --all is needed';
  if (!values.all && (values.type ?? values.source ?? values['reason-prefix']) !== undefined)
    return '--type, --source and --reason-prefix go with --all';
  if (ids.length > decidedAtOnce) return `at most ${decidedAtOnce} ids at once`;
  if (command === 'discard' && !/^.{1,1000}$/su.test(String(values.reason ?? '').trim()))
    return '--reason of 1 to 1000 characters is needed';
  return undefined;
}

/** What others have sent must not drive the terminal. */
const visible = (text: string) => text.replace(/[^\P{Cc}\n]/gu, '\uFFFD');
const oneLine = (text: string) => text.replace(/\p{Cc}+/gu, ' ');

function table(rows: string[][]): string {
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0))) ?? [];
  const line = (row: string[]) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ');
  return rows.map((row) => line(row).trimEnd()).join('\n');
}

async function list(
  db: Database,
  { status: name = 'waiting', limit = '50', type, source }: Values,
): Promise<void> {
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
  const entry = { action: 'dead_letter.read', subject: { kind: 'dead_letter', id } };
  const letter = await readDeadLetter(auditing(db, { actor }, entry), id);
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

async function run(db: Database, { command, ids, values }: Given): Promise<void> {
  if (command === 'list') return list(db, values);
  if (command === 'show') return show(db, ids[0] as string);
  return decide(db, command === 'replay' ? 'replayed' : 'discarded', ids, values);
}

try {
  const given = readArguments();
  loadEnvFile();
  const url = process.env.DATABASE_URL || readRunning().databaseUrl;
  const db = openPool({ url, min: 0, max: 1, applicationName: 'recoup-dead-letters', timeoutMs: 60_000 });
  try {
    await run(askedBy(db, { actor }), given);
  } finally {
    await db.close();
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
