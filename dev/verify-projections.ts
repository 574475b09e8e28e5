// `npm run verify:projections`: holds what is live beside what a rebuild would give, while the projector runs, and
// writes nothing. Exits 1 when there is a difference.

import { parseArgs } from 'node:util';
import { kindsOf, projectionGroups } from '../shared/servicing/projections.ts';
import type { Difference } from '../shared/servicing/refold.ts';
import { isPersonal, verify } from '../shared/servicing/verify.ts';
import { openArchive } from './archive.ts';
import { say } from './progress.ts';

const usage = `Usage: npm run verify:projections

  --projection ${projectionGroups.join('|')}   only this one
  --sample <count>     so many aggregates, chosen by chance
  --show-values        what is personal, too`;

const shownAtMost = 200;
const saidEveryMs = 2_000;

function readArguments() {
  const { values } = parseArgs({
    options: {
      projection: { type: 'string' },
      sample: { type: 'string' },
      'show-values': { type: 'boolean', default: false },
    },
  });
  const groups = projectionGroups.filter(
    (group) => values.projection === undefined || values.projection === group,
  );
  if (groups.length === 0)
    throw new Error(`--projection expects ${projectionGroups.join(' or ')}\n\n${usage}`);
  if (values.sample !== undefined && !/^[1-9]\d{0,8}$/.test(values.sample))
    throw new Error(`--sample expects a whole number\n\n${usage}`);
  const sample = values.sample === undefined ? undefined : Number(values.sample);
  return { groups, sample, showsValues: values['show-values'] };
}

/** What others have sent must not drive the terminal. */
const oneLine = (text: string) => text.replace(/\p{Cc}+/gu, ' ');

function linesOf(difference: Difference, showsValues: boolean): string[] {
  const { aggregate, table, line, columns, live, rebuilt } = difference;
  const where = `${aggregate}  ${table}${line === null ? '' : ` ${line}`}`;
  const value = (column: string, of: string | null | undefined) => {
    if (of === null || of === undefined) return 'nothing';
    return isPersonal(table, column) && !showsValues ? '(not shown)' : of;
  };
  const lines = columns.map(
    (column, i) => `${column}: ${value(column, live?.[i])} -> ${value(column, rebuilt?.[i])}`,
  );
  // A row that is wholly there or not is one difference.
  if (live === null) return [`${where}  is missing`];
  if (rebuilt === null) return [`${where}  should not be there`];
  return lines.map((text) => `${where}  ${text}`);
}

async function run(): Promise<void> {
  const { groups, sample, showsValues } = readArguments();
  const { db, tools } = openArchive('verify-projections');
  let differences = 0;
  const sum = { aggregates: 0, events: 0, unreadable: 0 };
  const found = (difference: Difference) => {
    differences += 1;
    if (differences > shownAtMost) return;
    for (const line of linesOf(difference, showsValues)) say(oneLine(line));
  };
  try {
    let saidAt = performance.now();
    for await (const page of verify(db, kindsOf(groups), tools, { found, sample })) {
      sum.aggregates += page.aggregates;
      sum.events += page.events;
      sum.unreadable += page.unreadable;
      if (performance.now() - saidAt < saidEveryMs) continue;
      saidAt = performance.now();
      say(`${sum.aggregates} aggregates, ${sum.events} events, ${differences} differences so far`);
    }
  } finally {
    await db.close();
  }
  if (differences > shownAtMost) say(`... and ${differences - shownAtMost} more`);
  if (sum.unreadable > 0) say(`${sum.unreadable} events could not be read as what they say they are`);
  say(`${sum.aggregates} aggregates, ${sum.events} events: ${differences} differences`);
  if (differences > 0) process.exitCode = 1;
}

await run().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
