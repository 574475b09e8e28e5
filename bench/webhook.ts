// `npm run bench:webhook`: signed webhooks through workerd beside pgbench running the very statement that records
// them, in one run, as ratios; afterwards the rows in the database are compared with the accepted requests.

import { randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import pg from 'pg';
import type { Running } from '../dev/running.ts';
import { samplePayment, sign } from '../dev/sample-payments.ts';
import { bundle } from '../dev/servers/bundle.ts';
import { freePort } from '../dev/servers/port.ts';
import { ownServers, readStartSettings, root } from '../dev/stack/settings.ts';
import { startStack } from '../dev/stack/stack.ts';
import { load, percentile } from './load.ts';
import { findPgbench, pgbench } from './pgbench.ts';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '8' } } });
const seconds = Number(values.seconds);
if (!(seconds >= 1 && seconds <= 600)) throw new Error('--seconds expects 1 to 600');
const connectionCounts = [1, 32, 128];
/** More than can be answered in a phase; what is left over is not sent. */
const requestsPerSecond = 6_000;

/** The statement of shared/payments/store.ts with a payment of its own each time. */
const statement = `select * from payment_service.record_payments(
  array[gen_random_uuid()], array[gen_random_uuid()], array['default'], array['PGBENCH-' || gen_random_uuid()],
  array['LN00000001'], array['CIF000001'], array['100.50']::numeric[], array['EUR'],
  array[now()], array[current_date], array['standard'], array['{"note":"sample payment"}'],
  array[null]::uuid[], array[false], array['webhook'], array['pgbench']);`;

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
    const channel = stack.channels.standard;
    if (!channel) throw new Error('the benchmark needs the channel standard');
    const target = { host: '127.0.0.1', port: ports.WEBHOOKS_PORT };
    const phase = (connections: number, forSeconds: number) => {
      const requests = signedRequests(channel, `127.0.0.1:${target.port}`, forSeconds * requestsPerSecond);
      return load(target, connections, forSeconds, () => requests.pop());
    };

    let accepted = (await phase(32, 2)).statuses.get(201) ?? 0;
    let refused = 0;
    const rows: Record<string, string | number>[] = [];
    for (const connections of connectionCounts) {
      const base = await pgbench(rival, stack.databaseUrl, statement, connections, seconds);
      const ours = await phase(connections, seconds);
      const created = ours.statuses.get(201) ?? 0;
      accepted += created;
      refused += ours.latenciesMs.length - created;
      rows.push({
        connections,
        'pgbench/s': Math.round(base.perSecond),
        'pgbench p50 ms': +base.p50Ms.toFixed(2),
        'pgbench p99 ms': +base.p99Ms.toFixed(2),
        'workerd/s': Math.round(created / ours.seconds),
        'workerd p50 ms': +percentile(ours.latenciesMs, 0.5).toFixed(2),
        'workerd p99 ms': +percentile(ours.latenciesMs, 0.99).toFixed(2),
        ratio: +(created / ours.seconds / base.perSecond).toFixed(3),
      });
    }
    console.table(rows);

    const client = new pg.Client({ connectionString: stack.databaseUrl });
    await client.connect();
    const { rows: counted } = await client.query(
      `select (select count(*) from payment_service.payments where reference_number like 'BENCH-%')::int as payments,
              (select count(*) from payment_service.payment_references where reference_number like 'BENCH-%')::int as "references",
              (select count(*) from outbox.messages m join payment_service.payments p on p.event_id = m.event_id
               where p.reference_number like 'BENCH-%')::int as messages`,
    );
    await client.end();
    console.log(
      `accepted ${accepted}, otherwise answered ${refused}; in the database: ${JSON.stringify(counted[0])}`,
    );
    if (Object.values(counted[0]).some((count) => count !== accepted))
      throw new Error('rows and accepted requests differ');
    const script = await bundle(join(root, 'workers/webhooks/main.ts'));
    console.log(
      `webhooks bundle: ${(gzipSync(script, { level: 9 }).length / 1024).toFixed(1)} KiB minified and gzipped`,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
