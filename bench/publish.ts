// `npm run bench:publish`: the real publisher beside Kafka's own ProducerPerformance, in one run, as ratios. First how
// fast a full outbox is drained, then how long a payment takes from its commit to Kafka at a steady rate; afterwards
// every event that was written must be in Kafka, once.

import { randomBytes, randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { openPool, type Pool } from '../containers/database.ts';
import { say, step } from '../dev/progress.ts';
import { startKafka } from '../dev/servers/kafka.ts';
import { startPostgres } from '../dev/servers/postgres.ts';
import { launch } from '../dev/servers/process.ts';
import { root } from '../dev/stack/settings.ts';
import { ensurePartitions, migrate, setRolePasswords } from '../drizzle/migrate.ts';
import { recordPayments } from '../shared/payments/record-payments.ts';
import { newPayment } from '../shared/payments/testing.ts';
import { percentile } from './load.ts';
import { fetchProducerPerformance, producerPerformance } from './producer-performance.ts';
import { createTopics, readEvents, type Sent } from './topic.ts';

const { values } = parseArgs({
  options: {
    payments: { type: 'string', default: '100000' },
    seconds: { type: 'string', default: '20' },
    rate: { type: 'string', default: '1000' },
    // A folder for CPU profiles of the publisher.
    profile: { type: 'string' },
  },
});
const given = (name: 'payments' | 'seconds' | 'rate', most: number) => {
  const value = Number(values[name]);
  if (!(value >= 1 && value <= most)) throw new Error(`--${name} expects 1 to ${most}`);
  return value;
};
const payments = given('payments', 10_000_000);
const seconds = given('seconds', 600);
const rate = given('rate', 100_000);

const topics = ['payment.events', 'payment.lifecycle'];
const partitions = 6;
const bodyLike = { metadata: '{"note":"sample payment"}', paymentChannel: 'standard' };

/** A thousand loans, as an evening's payments would have. */
const payment = (n: number) =>
  newPayment({
    ...bodyLike,
    referenceNumber: `BENCH-${randomUUID()}`,
    loanAccountNumber: `LN${String(n % 1_000).padStart(8, '0')}`,
    paymentDate: new Date(),
    paidOn: new Date().toISOString().slice(0, 10),
  });

async function fill(db: Pool): Promise<void> {
  const size = 1_000;
  for (let from = 0; from < payments; from += size) {
    const count = Math.min(size, payments - from);
    await recordPayments(
      db,
      Array.from({ length: count }, (_, n) => payment(from + n)),
    );
  }
}

/** Payments at the rate, `together` in each commit, whether or not earlier ones are done. Answers how many. */
async function pay(db: Pool, together: number): Promise<number> {
  const calls: Promise<unknown>[] = [];
  const startedAt = performance.now();
  const total = Math.floor((rate * seconds) / together);
  while (calls.length < total) {
    const due = Math.min(total, Math.floor(((performance.now() - startedAt) / 1_000) * (rate / together)));
    while (calls.length < due) {
      const batch = Array.from({ length: together }, (_, n) => payment(calls.length * together + n));
      calls.push(recordPayments(db, batch));
    }
    await sleep(1);
  }
  await Promise.all(calls);
  return total * together;
}

const waiting = async (db: Pool) =>
  Number(
    (await db.query<{ n: string }>("select count(*) as n from outbox.messages where destination = 'log'"))[0]
      ?.n,
  );

async function drained(db: Pool): Promise<void> {
  while ((await db.query("select from outbox.messages where destination = 'log' limit 1")).length > 0)
    await sleep(50);
}

/** Until a publisher says that its log answers. */
async function well(db: Pool): Promise<void> {
  while ((await db.query('select from operations.heartbeats where healthy')).length === 0) await sleep(100);
}

/** Reference number -> when PostgreSQL wrote the commit, in milliseconds since 1970. */
async function commitTimes(db: Pool): Promise<Map<string, number>> {
  const rows = await db.query<{ reference: string; at: number }>(
    `select reference_number as reference,
            (extract(epoch from pg_xact_commit_timestamp(xmin)) * 1000)::float as at
     from payment_service.payment_references`,
  );
  return new Map(rows.map(({ reference, at }) => [reference, at]));
}

function verify(what: string, events: Map<string, Sent>, written: number): void {
  const copies = [...events.values()].reduce((sum, event) => sum + event.copies, 0);
  say(`${what}: ${written} events written, ${events.size} in Kafka, ${copies - events.size} of them again`);
  if (events.size !== written) throw new Error('events written and events in Kafka differ');
  if (copies !== events.size) throw new Error('nothing crashed, and yet events were sent again');
}

async function main(): Promise<void> {
  const lib = await fetchProducerPerformance();
  const folder = mkdtempSync(join(tmpdir(), 'recoup-bench-'));
  // Postgres may run as another user, who has to get through to its data.
  chmodSync(folder, 0o711);
  await using started = new AsyncDisposableStack();
  started.defer(() => rmSync(folder, { recursive: true, force: true }));
  const onLoss = (line: string) => {
    throw new Error(line);
  };
  const postgres = await startPostgres({
    dataDir: join(folder, 'postgres'),
    logFile: join(folder, 'postgres.log'),
    password: randomBytes(16).toString('hex'),
    settings: { track_commit_timestamp: 'on' },
    onLoss,
  });
  started.defer(() => postgres.stop());
  const kafka = await startKafka({ dataDir: join(folder, 'kafka'), logFile: join(folder, 'kafka.log') });
  started.defer(() => kafka.stop());
  await migrate(postgres.url, () => {});
  await ensurePartitions(postgres.url);
  const password = randomBytes(16).toString('hex');
  await setRolePasswords(postgres.url, { recoup_publisher: password });
  const publisherUrl = Object.assign(new URL(postgres.url), { username: 'recoup_publisher', password }).href;
  const db = openPool({ url: postgres.url, min: 0, max: 16, applicationName: 'bench', timeoutMs: 60_000 });
  started.defer(() => db.close());

  let runs = 0;
  const publisher = async () => {
    runs += 1;
    const path = join(root, 'containers/publisher/main.ts');
    const profile = values.profile ? ['--cpu-prof', `--cpu-prof-dir=${values.profile}`] : [];
    return launch({
      name: 'publisher',
      command: process.execPath,
      args: ['--disable-warning=TimeoutNegativeWarning', ...profile, path],
      cwd: root,
      env: {
        PATH: process.env.PATH,
        DATABASE_URL: publisherUrl,
        KAFKA_BROKERS: kafka.brokers,
        KAFKA_TOPIC: `${topics[0]}.${runs}`,
        KAFKA_LIFECYCLE_TOPIC: `${topics[1]}.${runs}`,
      },
      logFile: join(folder, 'publisher.log'),
      pidFile: join(folder, 'publisher.pid'),
      marker: path,
      stopSignals: [
        ['SIGTERM', 30_000],
        ['SIGKILL', 5_000],
      ],
      isReady: async () => true,
      readyWithinMs: 15_000,
      onLoss,
    });
  };
  const topicsOf = (run: number) => topics.map((topic) => `${topic}.${run}`);
  for (const run of [1, 2, 3]) await createTopics(kafka.brokers, topicsOf(run), partitions);
  await createTopics(kafka.brokers, ['rival'], partitions);
  if (values.profile) mkdirSync(values.profile, { recursive: true });

  await step(`Outbox: recording ${payments} payments`, () => fill(db));
  const written = await waiting(db);
  const sample = await db.query<{ payload: string }>(
    "select payload from outbox.messages where destination = 'log' limit 10000",
  );
  const payloadFile = join(folder, 'payloads');
  writeFileSync(payloadFile, `${sample.map(({ payload }) => payload).join('\n')}\n`);
  const rival = { brokers: kafka.brokers, topic: 'rival', payloadFile };
  const rivalDrain = await step('ProducerPerformance: as fast as it can', () =>
    producerPerformance(lib, { ...rival, count: written }),
  );
  const drain = await publisher();
  await step('Publisher: draining the outbox', () => drained(db));
  await drain.stop();
  const events = await readEvents(kafka.brokers, topicsOf(1));
  verify('drain', events, written);
  const appended = [...events.values()].map(({ appendedAt }) => appendedAt);
  const drainSeconds =
    (appended.reduce((a, b) => Math.max(a, b)) - appended.reduce((a, b) => Math.min(a, b))) / 1000;
  const perSecond = written / drainSeconds;
  console.table([
    {
      messages: written,
      bytes: Math.round(sample.reduce((sum, { payload }) => sum + payload.length, 0) / sample.length),
      'ProducerPerformance/s': Math.round(rivalDrain.perSecond),
      'publisher/s': Math.round(perSecond),
      ratio: +(perSecond / rivalDrain.perSecond).toFixed(3),
    },
  ]);

  const perPayment = written / payments;
  const rivalSteady = await step(`ProducerPerformance: ${rate * perPayment} messages/s`, () =>
    producerPerformance(lib, {
      ...rival,
      count: rate * perPayment * seconds,
      perSecond: rate * perPayment,
    }),
  );
  const rows: Record<string, string | number>[] = [
    {
      what: 'ProducerPerformance',
      'p50 ms': rivalSteady.p50Ms,
      'p95 ms': rivalSteady.p95Ms,
      'p99 ms': rivalSteady.p99Ms,
    },
  ];
  for (const together of [1, 10]) {
    const run = runs + 1;
    const steady = await publisher();
    await step('Publisher: starting', () => well(db));
    const startedAt = performance.now();
    const paid = await step(`Publisher: ${rate} payments/s, ${together} in each commit`, () =>
      pay(db, together),
    );
    const paidPerSecond = paid / ((performance.now() - startedAt) / 1_000);
    await drained(db);
    await steady.stop();
    const found = await readEvents(kafka.brokers, topicsOf(run));
    verify(`${together} in each commit`, found, paid * perPayment);
    const committed = await commitTimes(db);
    const latencies = [...found.values()].map(
      ({ reference, appendedAt }) => appendedAt - (committed.get(reference) ?? Number.NaN),
    );
    rows.push({
      what: `publisher, ${together} in each commit`,
      'payments/s': Math.round(paidPerSecond),
      'p50 ms': +percentile(latencies, 0.5).toFixed(1),
      'p95 ms': +percentile(latencies, 0.95).toFixed(1),
      'p99 ms': +percentile(latencies, 0.99).toFixed(1),
      'p99 ratio': +(percentile(latencies, 0.99) / rivalSteady.p99Ms).toFixed(1),
    });
  }
  console.table(rows);
  const faults = readFileSync(join(folder, 'publisher.log'), 'utf8').match(
    /"event":"publisher_[a-z_]*failed".*/g,
  );
  for (const fault of faults ?? []) say(`the publisher met a fault: ${fault}`);
  say(`PostgreSQL, Kafka, publisher and load shared ${availableParallelism()} cores`);
}

await main();
