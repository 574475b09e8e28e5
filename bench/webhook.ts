// `npm run bench:webhook`: signed webhooks through workerd and through containers/edge on Node, each with payments that
// share statements and without, beside pgbench running the very statement that records one. In one run, as ratios, with
// the processor time that a payment costs; afterwards the rows in the database are compared with the accepted requests.

import { randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import pg from 'pg';
import type { Running } from '../dev/running.ts';
import { samplePayment, sign } from '../dev/sample-payments.ts';
import { bundle, stopBundler } from '../dev/servers/bundle.ts';
import { freePort } from '../dev/servers/port.ts';
import { ownServers, readStartSettings, root } from '../dev/stack/settings.ts';
import { type Stack, startStack } from '../dev/stack/stack.ts';
import { type Beside, edgeOnNode, pidIn, webhooksInWorkerd } from './beside.ts';
import { cpuSeconds } from './cpu.ts';
import { load, percentile } from './load.ts';
import { findPgbench, pgbench } from './pgbench.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '8' },
    connections: { type: 'string', default: '1,32,128' },
  },
});
const seconds = Number(values.seconds);
if (!(seconds >= 1 && seconds <= 600)) throw new Error('--seconds expects 1 to 600');
const connectionCounts = values.connections.split(',').map(Number);
if (!connectionCounts.every((count) => Number.isInteger(count) && count >= 1 && count <= 1_000)) {
  throw new Error('--connections expects numbers from 1 to 1000, with commas between them');
}
/** More than can be answered in a phase; what is left over is not sent. */
const requestsPerSecond = 6_000;
const warmUpSeconds = 2;

/** The statement of shared/payments/store.ts with a payment of its own each time. */
const statement = `select * from payment_service.record_payments(
  array[gen_random_uuid()], array[gen_random_uuid()], array['default'], array['PGBENCH-' || gen_random_uuid()],
  array['LN00000001'], array['CIF000001'], array['100.50']::numeric[], array['EUR'],
  array[now()], array[current_date], array['standard'], array['{"note":"sample payment"}'],
  array[null]::uuid[], array[false], array['webhook'], array['pgbench']);`;

/** The ways to be measured, by the name of their row. */
const ways: Record<
  string,
  (stack: Stack, folder: string, settings: Record<string, string>) => Promise<Beside>
> = {
  workerd: webhooksInWorkerd,
  Node: edgeOnNode,
};
const sharing = { 'one by one': '0', 'group commit': undefined };

function signedRequests(channel: Running['channels'][string], host: string, count: number): Buffer[] {
  return Array.from({ length: count }, () => {
    const body = JSON.stringify({ ...samplePayment(), reference_number: `BENCH-${randomUUID()}` });
    const headers = { ...sign(channel, body), host, 'content-length': String(Buffer.byteLength(body)) };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
    return Buffer.from(
      `POST ${new URL(channel.url).pathname} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`,
    );
  });
}

/** Processor time per payment, in milliseconds. */
async function withCost<T>(
  pids: Record<string, number>,
  work: () => Promise<T>,
  count: (done: T) => number,
): Promise<{ done: T; cost: Record<string, number> }> {
  const before = cpuSeconds(pids);
  const done = await work();
  const after = cpuSeconds(pids);
  const cost = Object.keys(pids).map((name) => {
    const used = (after[name] ?? Number.NaN) - (before[name] ?? Number.NaN);
    return [`${name} CPU ms`, +((used / count(done)) * 1_000).toFixed(3)] as const;
  });
  return { done, cost: Object.fromEntries(cost) };
}

async function main(): Promise<void> {
  const rival = await findPgbench();
  const folder = mkdtempSync(join(tmpdir(), 'recoup-bench-'));
  // Postgres may run as another user, who has to get through to its data.
  chmodSync(folder, 0o711);
  const ports = { PORT: await freePort(), WEBHOOKS_PORT: await freePort(), AUTH_PORT: await freePort() };
  const env = {
    ...process.env,
    ...ownServers,
    ...Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, String(port)])),
    LOG_LEVEL: 'error',
    WEBHOOK_RATE_LIMIT_PER_MINUTE: '100000000',
  };
  try {
    await using stack = await startStack({
      settings: readStartSettings(env),
      env,
      folder,
      publisher: false,
      signal: new AbortController().signal,
      onLoss: (line) => {
        throw new Error(line);
      },
    });
    await using beside = new AsyncDisposableStack();
    const channel = stack.channels.standard;
    if (!channel) throw new Error('the benchmark needs the channel standard');
    const served: Array<{ row: string; server: Beside }> = [];
    for (const [name, start] of Object.entries(ways)) {
      for (const [how, shards] of Object.entries(sharing)) {
        const own = mkdtempSync(join(folder, 'beside-'));
        const server = await start(stack, own, shards === undefined ? {} : { GROUP_COMMIT_SHARDS: shards });
        beside.defer(() => server.stop());
        served.push({ row: `${name}, ${how}`, server });
      }
    }
    let accepted = 0;
    let refused = 0;
    const phase = async ({ port }: Beside, connections: number, forSeconds: number) => {
      const requests = signedRequests(channel, `127.0.0.1:${port}`, forSeconds * requestsPerSecond);
      const result = await load({ host: '127.0.0.1', port }, connections, forSeconds, () => requests.pop());
      const created = result.statuses.get(201) ?? 0;
      accepted += created;
      refused += result.latenciesMs.length - created;
      return { ...result, created };
    };
    const postgres = pidIn(join(folder, 'postgres.pid'));
    const door = pidIn(join(folder, 'neon-door.pid'));

    for (const { server } of served) await phase(server, 32, warmUpSeconds);
    for (const connections of connectionCounts) {
      const base = await withCost(
        { Postgres: postgres },
        () => pgbench(rival, stack.databaseUrl, statement, connections, seconds),
        ({ count }) => count,
      );
      const { perSecond, p50Ms, p99Ms } = base.done;
      const rows: Record<string, Record<string, number>> = {
        pgbench: { '/s': Math.round(perSecond), 'p50 ms': p50Ms, 'p99 ms': p99Ms, ratio: 1, ...base.cost },
      };
      for (const { row, server } of served) {
        const { done, cost } = await withCost(
          { server: server.pid, Postgres: postgres, ...(row.startsWith('workerd') && { door }) },
          () => phase(server, connections, seconds),
          ({ created }) => created,
        );
        const rate = done.created / done.seconds;
        rows[row] = {
          '/s': Math.round(rate),
          'p50 ms': +percentile(done.latenciesMs, 0.5).toFixed(2),
          'p99 ms': +percentile(done.latenciesMs, 0.99).toFixed(2),
          ratio: +(rate / perSecond).toFixed(2),
          ...cost,
        };
      }
      console.log(`\n${connections} connections`);
      console.table(rows);
    }

    const client = new pg.Client({ connectionString: stack.databaseUrl });
    await client.connect();
    const { rows: counted } = await client.query(
      `with announcement as (
         select event_id, array_agg(topic order by topic) as topics from outbox.messages group by event_id
       )
       select count(*)::int as payments,
              (select count(*)::int from payment_service.payment_references where reference_number like 'BENCH-%') as references,
              count(*) filter (where topics = '{ledger.payments,payment.events,payment.lifecycle}')::int as announced
       from payment_service.payments left join announcement using (event_id) where reference_number like 'BENCH-%'`,
    );
    await client.end();
    console.log(
      `accepted ${accepted}, otherwise answered ${refused}; in the database: ${JSON.stringify(counted[0])}`,
    );
    if (Object.values(counted[0]).some((count) => count !== accepted))
      throw new Error('rows and accepted requests differ');
    const script = await bundle(join(root, 'workers/webhooks/main.ts'));
    await stopBundler();
    console.log(
      `webhooks bundle: ${(gzipSync(script, { level: 9 }).length / 1024).toFixed(1)} KiB minified and gzipped`,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
