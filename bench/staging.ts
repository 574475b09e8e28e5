// `npm run bench:staging`: staged rows through the step that the container runs, beside one SQL statement that does the
// same to the same tables, alternating in one run on a fresh durable Postgres; afterwards the rows are counted.

import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openPool, type Pool } from '../containers/database.ts';
import { readStagingSettings } from '../containers/ingest/env.ts';
import { staging } from '../containers/ingest/staging.ts';
import { startPostgres } from '../dev/servers/postgres.ts';
import { ensurePartitions, migrate } from '../drizzle/migrate.ts';
import { percentile } from './load.ts';

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '10000,100000,1000000' },
    rounds: { type: 'string', default: '3' },
  },
});
const sizes = values.rows.split(',').map(Number);
const rounds = Number(values.rounds);
if (sizes.some((size) => !(size >= 1 && size <= 10_000_000))) throw new Error('--rows expects 1 to 10000000');
if (!(rounds >= 1 && rounds <= 100)) throw new Error('--rounds expects 1 to 100');

/** As an ETL would: one INSERT of seed 003's columns. */
const stage = `insert into payment_staging (reference_number, loan_account_number, cif, amount, payment_date, payment_channel, metadata)
  select 'ETL-' || gen_random_uuid(), 'LN' || lpad((n % 50000)::text, 8, '0'), 'CIF' || lpad((n % 50000)::text, 6, '0'),
         round((10 + n % 99000 / 100.0)::numeric, 2), localtimestamp - (n % 28) * interval '1 day',
         'bank-file', jsonb_build_object('line', n, 'batch', 'bench')
  from generate_series(1, $1) as n`;

/** The rival: references, payments, both kinds of messages and the marks, in one statement; what follows record_payments. */
const rival = `with staged as materialized (
    select s.id as staging_id, gen_random_uuid() as id, gen_random_uuid() as event_id, reference_number, loan_account_number, cif, amount,
           'EUR' as currency, payment_date at time zone $1 as payment_date, payment_date::date as paid_on,
           coalesce(payment_channel, 'staging') as payment_channel, coalesce(metadata, '{}') as metadata
    from payment_staging s
    where processed is not true and amount > 0 and amount < 1e13 and amount = round(amount, 2)
      and length(reference_number) between 1 and 255 and length(loan_account_number) between 1 and 20 and length(cif) between 1 and 20
  ), reference as (
    insert into payment_service.payment_references
      (namespace, reference_number, payment_id, payment_date, amount, currency, loan_account_number, cif, paid_on)
    select 'default', reference_number, id, payment_date, amount, currency, loan_account_number, cif, paid_on from staged
    on conflict do nothing
    returning payment_id
  ), winner as materialized (
    select staged.* from staged join reference on payment_id = id
  ), payment as (
    insert into payment_service.payments (id, namespace, reference_number, loan_account_number, cif, amount, currency,
      payment_date, paid_on, payment_channel, source, metadata, event_id, actor)
    select id, 'default', reference_number, loan_account_number, cif, amount, currency,
      payment_date, paid_on, payment_channel, 'staging', metadata, event_id, 'rival' from winner
  ), message as (
    insert into outbox.messages (destination, topic, key, event_id, payload)
    select m.destination, m.topic, m.key, event_id, m.payload
    from winner cross join lateral (values
      ('log', 'payment.events', loan_account_number, payment_service.recorded_event(event_id, now(), id, reference_number, loan_account_number, cif, amount,
        currency, payment_date, payment_channel, 'staging', metadata::json)),
      ('log', 'payment.lifecycle', loan_account_number, payment_service.lifecycle_event(event_id, 'PAYMENT_RECEIVED', reference_number, loan_account_number,
        cif, amount, currency, now(), 'received', json_build_object('paymentId', id, 'currency', currency,
          'paymentDate', payment_service.utc(payment_date), 'paymentChannel', payment_channel, 'source', 'staging'))),
      ('ledger', 'ledger.payments', id::text, payment_service.payment_to_post(id, reference_number, loan_account_number, amount,
        currency, paid_on, 'rival'))
    ) as m(destination, topic, key, payload)
  )
  update payment_staging s set processed = true, processed_at = localtimestamp, outcome = 'recorded', payment_id = w.id
  from winner w where s.id = w.staging_id`;

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return (performance.now() - startedAt) / 1000;
}

/** Both begin with empty tables, a staged backlog and nothing left to write from before. */
async function prepare(db: Pool, rows: number): Promise<void> {
  await db.query(
    'truncate payment_staging, payment_service.payment_references, payment_service.payments, outbox.messages',
  );
  await db.query(stage, [rows]);
  await db.query('vacuum (analyze) payment_staging');
  await db.query('checkpoint');
}

/** Throws unless every staged row is one payment, one reference and as many messages as the other side writes. */
async function verify(db: Pool, rows: number): Promise<number> {
  const [counted] = await db.query<Record<string, number>>(
    `select (select count(*)::int from payment_service.payments) as payments,
            (select count(*)::int from payment_service.payment_references) as "references",
            (select count(distinct event_id)::int from payment_service.payments) as events,
            (select count(*)::int from payment_staging s join payment_service.payments p on p.id = s.payment_id
             where s.processed and s.outcome = 'recorded' and p.reference_number = s.reference_number) as marked`,
  );
  if (Object.values(counted ?? {}).some((count) => count !== rows))
    throw new Error(`of ${rows} staged rows there are ${JSON.stringify(counted)}`);
  const [messages] = await db.query<{ n: number }>('select count(*)::int as n from outbox.messages');
  return messages?.n ?? 0;
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'recoup-bench-'));
  // Postgres may run as another user, who has to get through to its data.
  chmodSync(folder, 0o711);
  const settings = readStagingSettings({ ...process.env, BUSINESS_TIME_ZONE: 'Europe/Berlin' });
  const server = await startPostgres({
    dataDir: join(folder, 'postgres'),
    logFile: join(folder, 'postgres.log'),
    password: randomBytes(16).toString('hex'),
  });
  try {
    await migrate(server.url, () => {});
    await ensurePartitions(server.url);
    const db = openPool({
      url: server.url,
      min: settings.workers + 2,
      max: settings.workers + 2,
      applicationName: 'bench',
      timeoutMs: 600_000,
    });
    const { runNow } = staging({ db, instance: 'bench', ...settings });
    await prepare(db, 20_000);
    await runNow();

    const table: Record<string, string | number>[] = [];
    for (const rows of sizes) {
      const seconds: Record<'rival' | 'ours', number[]> = { rival: [], ours: [] };
      let peakMb = 0;
      let cpuMicros = 0;
      const watch = setInterval(() => {
        peakMb = Math.max(peakMb, process.memoryUsage().rss / 2 ** 20);
      }, 100);
      const run = {
        rival: () =>
          db.transaction(async (tx) => {
            // The planner cannot know how many rows its own inserts return, and would join them one by one.
            await tx.query('set local enable_nestloop = off');
            await tx.query(rival, [settings.business.timeZone]);
          }),
        ours: async () => {
          const before = process.cpuUsage();
          const totals = await runNow();
          const used = process.cpuUsage(before);
          cpuMicros += used.user + used.system;
          if (totals.recorded !== rows)
            throw new Error(`recorded ${JSON.stringify(totals)} of ${rows} staged rows`);
        },
      };
      const turns = rows > 300_000 ? 1 : rounds;
      for (let turn = 0; turn < turns; turn++) {
        const messages: number[] = [];
        for (const who of turn % 2 ? (['ours', 'rival'] as const) : (['rival', 'ours'] as const)) {
          await prepare(db, rows);
          seconds[who].push(await timed(run[who]));
          messages.push(await verify(db, rows));
        }
        if (messages[0] !== messages[1]) throw new Error(`messages differ: ${messages.join(' and ')}`);
      }
      clearInterval(watch);
      const rate = (all: number[]) => rows / percentile(all, 0.5);
      table.push({
        rows,
        'statement rows/s': Math.round(rate(seconds.rival)),
        'staging rows/s': Math.round(rate(seconds.ours)),
        ratio: +(rate(seconds.ours) / rate(seconds.rival)).toFixed(2),
        'Node CPU us/row': +(cpuMicros / turns / rows).toFixed(1),
        'Node peak MB': Math.round(peakMb),
      });
      console.table(table.slice(-1));
    }
    console.table(table);
    console.log(`${settings.workers} workers, batches of ${settings.batchSize}; all counts agree`);
    await db.close();
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
