// `npm run publish-again -- --from 2026-11-01 --to 2026-11-30`: tells a range of payments again, under the event ids and
// with the texts of the first time. In the database that DATABASE_URL names, else in the one that `npm start` runs here.
// Stopped and started again it begins anew, which tells consumers nothing they do not know.

import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { openPool, type Pool } from '../containers/database.ts';
import { askedBy } from '../shared/audit/asker.ts';
import { note } from '../shared/audit/note.ts';
import { parseInstant } from '../shared/calendar-date.ts';
import { createLog } from '../shared/log.ts';
import { publishAgain } from '../shared/payments/publish-again.ts';
import type { PublishRange } from '../shared/payments/publish-range.ts';
import { say } from './progress.ts';
import { readRunning } from './running.ts';
import { loadEnvFile } from './stack/settings.ts';

const usage = `Usage: npm run publish-again -- --from <YYYY-MM-DD> --to <YYYY-MM-DD>   by payment date, both included
       npm run publish-again -- --loan <account number>
       npm run publish-again -- --reference <reference number>

  --topic payment.events|payment.lifecycle   only this one; both unless told
  --dry-run                                  counts, and publishes nothing`;

const actor = 'job:publish-again';
const stepOfFacts = 500;
/** So many messages may wait for the publisher before the next step waits for it as well. */
const waitingLimit = 10_000;
const topics = ['payment.events', 'payment.lifecycle'] as const;
const timeoutMs = 120_000;

function readArguments(timeZone: string): { range: PublishRange; dryRun: boolean } {
  const { values } = parseArgs({
    options: {
      from: { type: 'string' },
      to: { type: 'string' },
      loan: { type: 'string' },
      reference: { type: 'string' },
      topic: { type: 'string' },
      'dry-run': { type: 'boolean', default: false },
    },
  });
  const topic = topics.find((name) => name === values.topic);
  if (values.topic !== undefined && !topic) {
    throw new Error(`--topic expects ${topics.join(' or ')}\n\n${usage}`);
  }
  const day = (name: 'from' | 'to') => {
    const text = values[name] ?? '';
    const start = /^\d{4}-\d\d-\d\d$/.test(text) ? parseInstant(text, timeZone) : undefined;
    if (!start) throw new Error(`--${name} expects YYYY-MM-DD\n\n${usage}`);
    return { text, start };
  };
  const ways = [values.from ?? values.to, values.loan, values.reference].filter((way) => way !== undefined);
  if (ways.length !== 1) throw new Error(`one of the three ways is needed\n\n${usage}`);
  const byDate = (): PublishRange['by'] => {
    const [from, to] = [day('from'), day('to')];
    const next = new Date(`${to.text}T00:00:00Z`);
    next.setUTCDate(next.getUTCDate() + 1);
    const until = parseInstant(next.toISOString().slice(0, 10), timeZone);
    if (!until || until <= from.start) throw new Error(`--to must not be before --from\n\n${usage}`);
    return { from: from.start, until };
  };
  const by =
    values.loan !== undefined
      ? { loanAccountNumber: values.loan }
      : values.reference !== undefined
        ? { referenceNumber: values.reference }
        : byDate();
  return { range: { by, topic: topic ?? null }, dryRun: values['dry-run'] };
}

/** Payments that arrive meanwhile must not wait behind a long range: the outbox is kept short. */
async function untilPublisherKeepsUp(db: Pool): Promise<void> {
  for (let told = false; ; ) {
    const [row] = await db.query<{ waiting: number }>(
      `select count(*)::int as waiting from (select from outbox.messages where destination = 'log' limit $1) as m`,
      [waitingLimit],
    );
    if ((row?.waiting ?? 0) < waitingLimit) return;
    if (!told) say(`${waitingLimit} messages wait for the publisher; going on when it has taken them`);
    told = true;
    await sleep(500);
  }
}

async function run(): Promise<void> {
  loadEnvFile();
  const { range, dryRun } = readArguments(process.env.BUSINESS_TIME_ZONE || 'UTC');
  const url = process.env.DATABASE_URL || readRunning().databaseUrl;
  const db = openPool({ url, min: 0, max: 1, applicationName: 'recoup-publish-again', timeoutMs });
  const log = createLog('info', { process: 'publish-again' });
  const topicsTold = range.topic === null ? topics.length : 1;
  const way = 'from' in range.by ? 'date' : 'loanAccountNumber' in range.by ? 'loan' : 'reference';
  const span =
    'from' in range.by ? { from: range.by.from.toISOString(), until: range.by.until.toISOString() } : {};
  let told = { payments: 0, failures: 0, reversals: 0 };
  const messages = () => (told.payments + told.failures + told.reversals) * topicsTold;
  /** Into the trail before the first message and after the last. */
  const audit = async (event: 'started' | 'done') => {
    const said = { way, ...span, topic: range.topic, dry_run: dryRun, ...told, messages: messages() };
    log.info(`publish_again_${event}`, { actor, ...said });
    const of = 'from' in range.by ? {} : range.by;
    if (!dryRun)
      await note(askedBy(db, { actor }), { action: `publish_again.${event}`, details: { ...of, ...said } });
  };
  try {
    await audit('started');
    for await (const soFar of publishAgain(db, range, { limit: stepOfFacts, dryRun })) {
      told = soFar;
      say(
        `${messages()} messages: ${told.payments} payments, ${told.reversals} reversals, ${told.failures} failures`,
      );
      if (!dryRun) await untilPublisherKeepsUp(db);
    }
    await audit('done');
    say(
      dryRun
        ? 'a dry run: nothing was published'
        : 'all of it is in the outbox; the publisher takes it from there',
    );
    say('Payments of months that retention has exported are not in the database and were not told again.');
  } finally {
    await db.close();
  }
}

await run().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
