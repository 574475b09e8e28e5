// `npm run bench:ledger`: repayments over gRPC through the ledger that containers/ledger runs, on many loans and on one,
// beside pgbench writing the same rows; then the close of day, as the number of loans grows. All in one run, in turns, on
// a fresh durable Postgres; afterwards what was answered is compared with what is posted.

import { randomBytes, randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { credentials, Metadata } from '@grpc/grpc-js';
import { openPool, type Pool } from '../containers/database.ts';
import { freePort, isOpen } from '../dev/servers/port.ts';
import { startPostgres } from '../dev/servers/postgres.ts';
import { launch } from '../dev/servers/process.ts';
import { startRedis } from '../dev/servers/redis.ts';
import { root } from '../dev/stack/settings.ts';
import { migrate, migrateLedger } from '../drizzle/migrate.ts';
import { AccountingLedgerServiceClient } from '../proto/generated/accounting_ledger.ts';
import { pidIn } from './beside.ts';
import { cpuSeconds } from './cpu.ts';
import { closeDays } from './ledger-close.ts';
import { openLoans } from './ledger-loans.ts';
import { percentile } from './load.ts';
import { findPgbench, pgbench } from './pgbench.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '8' },
    rounds: { type: 'string', default: '3' },
    loans: { type: 'string', default: '10000' },
    writers: { type: 'string', default: '100' },
    close: { type: 'string', default: '10000,100000,1000000' },
    buffers: { type: 'string', default: '1GB' },
  },
});
const whole = (name: keyof typeof values, most: number): number => {
  const value = Number(values[name]);
  if (!(Number.isInteger(value) && value >= 1 && value <= most))
    throw new Error(`--${name} expects 1 to ${most}`);
  return value;
};
const seconds = whole('seconds', 600);
const rounds = whole('rounds', 100);
const loans = whole('loans', 1_000_000);
const writers = whole('writers', 1_000);
const sizes = values.close === 'none' ? [] : values.close.split(',').map(Number);

const written = `
  t as (insert into ledger.transfers (loan_id, version, id, key, request_hash, kind, effective_on, recorded_at, currency,
      principal, interest, fees, suspense, write_off, recovery, cash, income, principal_after, interest_after, fees_after,
      suspense_after, charges, scheduled, actor, details)
    select loan_id, version, gen_random_uuid(), gen_random_uuid()::text, gen_random_uuid(), 'repayment', current_date, now(),
      currency, -0.01, 0, 0, 0, 0, 0, 0.01, 0, principal, interest, fees, suspense, 0, 0.01, 'pgbench', '{"instalments":[]}'
    from p)
  insert into outbox.messages (destination, topic, key, event_id, payload)
  select 'inbox', 'ledger.balance.changed.v1', loan_id, gen_random_uuid(),
    json_build_object('account_id', loan_id, 'version', version, 'total_outstanding', principal::text, 'currency', currency)
  from p;`;
const position = (loan: string) => `
  p as (update ledger.positions set version = version + 1, principal = principal - 0.01, cash = cash + 0.01,
      scheduled_paid = scheduled_paid + 0.01, updated_at = now() where loan_id = ${loan} returning *)`;
const instalment = (loan: string) => `
  update ledger.instalments set paid = paid + 0.01, updated_at = now() where loan_id = ${loan} and number = 6`;

/** What a repayment writes, as pgbench writes it: row by row in a transaction that locks the loan, and in one statement. */
const rivals: Record<string, (loan: string) => string> = {
  'pgbench, a transaction': (loan) =>
    `begin;
     select * from ledger.positions where loan_id = ${loan} for update;
     ${instalment(loan)};
     with ${position(loan)}, ${written}
     commit;`,
  'pgbench, one statement': (loan) => `with i as (${instalment(loan)}), ${position(loan)}, ${written}`,
};
const loanId = (n: number) => `BENCH-${n}`;
const manyLoans = `'BENCH-' || :loan::int`;
const hotLoan = `'${loanId(0)}'`;
/** pgbench's variables are numbers. */
const script = (hot: boolean, rival: (loan: string) => string) =>
  hot ? rival(hotLoan) : `\\set loan random(1, ${loans})\n${rival(manyLoans)}`;

interface Measured {
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  count: number;
}

/** Each of the writers repays and waits for the answer, time and again. */
async function repay(
  client: AccountingLedgerServiceClient,
  key: string,
  pick: () => string,
): Promise<Measured> {
  const latenciesMs: number[] = [];
  const startedAt = performance.now();
  const until = startedAt + seconds * 1000;
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${key}`);
  const once = () =>
    new Promise<void>((resolve, reject) => {
      const sentAt = performance.now();
      client.recordRepayment(
        { loanAccountId: pick(), amount: '0.01', idempotencyKey: randomUUID() },
        metadata,
        { deadline: Date.now() + 30_000 },
        (error) => {
          latenciesMs.push(performance.now() - sentAt);
          if (error) reject(error);
          else resolve();
        },
      );
    });
  await Promise.all(
    Array.from({ length: writers }, async () => {
      while (performance.now() < until) await once();
    }),
  );
  return {
    perSecond: latenciesMs.length / ((performance.now() - startedAt) / 1000),
    p50Ms: percentile(latenciesMs, 0.5),
    p99Ms: percentile(latenciesMs, 0.99),
    count: latenciesMs.length,
  };
}

const median = (numbers: number[]) => percentile(numbers, 0.5);

async function repayments(
  ways: Record<string, (hot: boolean) => Promise<Measured>>,
  pids: Record<string, number>,
): Promise<void> {
  for (const hot of [false, true]) {
    const measured = new Map(
      Object.keys(ways).map((name) => [name, [] as Array<Measured & { cpu: Record<string, number> }>]),
    );
    for (let round = 1; round <= rounds; round++) {
      for (const [name, measure] of Object.entries(ways)) {
        const before = cpuSeconds(pids);
        const result = await measure(hot);
        const after = cpuSeconds(pids);
        const cpu = Object.fromEntries(
          Object.keys(pids).map((pid) => [
            pid,
            (((after[pid] ?? 0) - (before[pid] ?? 0)) / result.count) * 1e6,
          ]),
        );
        measured.get(name)?.push({ ...result, cpu });
      }
    }
    const rates = new Map(
      [...measured].map(([name, runs]) => [name, median(runs.map((run) => run.perSecond))]),
    );
    console.log(hot ? `\n${writers} writers on one loan` : `\n${writers} writers on ${loans} loans`);
    console.table(
      Object.fromEntries(
        [...measured].map(([name, runs]) => {
          const rate = rates.get(name) ?? Number.NaN;
          return [
            name,
            {
              '/s': Math.round(rate),
              'p50 ms': +median(runs.map((run) => run.p50Ms)).toFixed(1),
              'p99 ms': +median(runs.map((run) => run.p99Ms)).toFixed(1),
              ...Object.fromEntries(
                Object.keys(rivals).map((rival) => [
                  `of ${rival.replace('pgbench, ', '')}`,
                  +(rate / (rates.get(rival) ?? Number.NaN)).toFixed(2),
                ]),
              ),
              ...Object.fromEntries(
                Object.keys(pids).map((pid) => [
                  `${pid} µs`,
                  Math.round(median(runs.map((run) => run.cpu[pid] ?? 0))),
                ]),
              ),
            },
          ];
        }),
      ),
    );
  }
}

async function main(): Promise<void> {
  const command = await findPgbench();
  const folder = mkdtempSync(join(tmpdir(), 'recoup-bench-'));
  // Postgres may run as another user, who has to get through to its data.
  chmodSync(folder, 0o711);
  await using started = new AsyncDisposableStack();
  started.defer(() => rmSync(folder, { recursive: true, force: true }));
  const postgres = await startPostgres({
    dataDir: join(folder, 'postgres'),
    logFile: join(folder, 'postgres.log'),
    password: 'bench-only-password',
    settings: {
      shared_buffers: values.buffers,
      max_wal_size: '16GB',
      checkpoint_timeout: '30min',
      max_connections: String(writers + 50),
    },
  });
  started.defer(() => postgres.stop());
  const redis = await startRedis({
    dataDir: join(folder, 'redis'),
    logFile: join(folder, 'redis.log'),
    password: 'bench-only-password',
  });
  started.defer(() => redis.stop());
  await migrate(postgres.url, () => {});
  const ledgerUrl = await newDatabase(postgres.url, 'bench_ledger');
  await migrateLedger(ledgerUrl, () => {});
  const db = openPool({ url: ledgerUrl, min: 0, max: 4, applicationName: 'bench', timeoutMs: 600_000 });
  started.defer(() => db.close());
  await openLoans(db, { prefix: 'BENCH', count: loans + 1, openedOn: today(), interestRateBps: 0 });

  const key = randomBytes(24).toString('hex');
  const port = await freePort();
  const path = join(root, 'containers/ledger/main.ts');
  const pidFile = join(folder, 'ledger.pid');
  const server = await launch({
    name: 'The ledger',
    command: process.execPath,
    args: [path],
    cwd: root,
    env: {
      ...process.env,
      LOG_LEVEL: 'error',
      PROBE_PORT: '',
      DATABASE_URL: postgres.url,
      LEDGER_DATABASE_URL: ledgerUrl,
      REDIS_URL: redis.url,
      LEDGER_PORT: String(port),
      LEDGER_KEYS: key,
    },
    logFile: join(folder, 'ledger.log'),
    pidFile,
    marker: path,
    stopSignals: [
      ['SIGTERM', 20_000],
      ['SIGKILL', 5_000],
    ],
    isReady: () => isOpen(port),
    readyWithinMs: 15_000,
    onLoss: (line) => {
      throw new Error(line);
    },
  });
  started.defer(() => server.stop());
  const client = new AccountingLedgerServiceClient(`127.0.0.1:${port}`, credentials.createInsecure());
  started.defer(() => client.close());

  let answered = 0;
  const pids = { ledger: pidIn(pidFile), Postgres: pidIn(join(folder, 'postgres.pid')) };
  await repayments(
    {
      ...Object.fromEntries(
        Object.entries(rivals).map(([name, rival]) => [
          name,
          (hot: boolean) => pgbench(command, ledgerUrl, script(hot, rival), writers, seconds),
        ]),
      ),
      'the ledger over gRPC': async (hot) => {
        const result = await repay(
          client,
          key,
          hot ? () => loanId(0) : () => loanId(1 + Math.floor(Math.random() * loans)),
        );
        answered += result.count;
        return result;
      },
    },
    pids,
  );
  await compare(db, answered);
  await server.stop();
  const closes = [];
  for (const size of sizes)
    closes.push(...(await closeDays(await newDatabase(postgres.url, `close_${size}`), size, pids.Postgres)));
  if (closes.length > 0) console.table(closes);
}

const today = () => new Date().toISOString().slice(0, 10);

async function newDatabase(url: string, name: string): Promise<string> {
  const db = openPool({ url, min: 0, max: 1, applicationName: 'bench', timeoutMs: 60_000 });
  try {
    await db.query(`create database ${name}`);
  } finally {
    await db.close();
  }
  const own = new URL(url);
  own.pathname = `/${name}`;
  return own.href;
}

/** Nothing answered is missing, nothing is twice, and every position is the sum of its transfers. */
async function compare(db: Pool, answered: number): Promise<void> {
  const [found] = await db.query<{ posted: number; astray: number }>(
    `select (select count(*)::int from ledger.transfers where kind = 'repayment' and actor not in ('pgbench', 'job:bench')) as posted,
       (select count(*)::int from ledger.positions p
        join lateral (select sum(principal) as principal, max(version) as version from ledger.transfers t where t.loan_id = p.loan_id) s on true
        where (p.principal, p.version) is distinct from (s.principal, s.version)) as astray`,
  );
  console.log(
    `\nanswered ${answered}; posted ${found?.posted}; positions that differ from their transfers: ${found?.astray}`,
  );
  if (found?.posted !== answered || found.astray !== 0) throw new Error('answers and transfers differ');
}

await main();
