// `npm run load:webhooks`: a steady rate of signed webhooks, some of them copies, against a whole system that it starts
// itself. Tells latencies from the moment a request was due and the memory of each process over time; then verifies
// that what was accepted is recorded and published, each once. Exits 1 when it is not.

import { randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { samplePayment, sign } from '../dev/sample-payments.ts';
import { freePort } from '../dev/servers/port.ts';
import { ownServers, readStartSettings } from '../dev/stack/settings.ts';
import { startStack } from '../dev/stack/stack.ts';
import { edgeOnNode, pidIn } from './beside.ts';
import { percentile } from './load.ts';
import { memoryMiB } from './memory.ts';
import { sendAtPace } from './open-loop.ts';
import { verifyPayments } from './verify-payments.ts';

const usage = `Usage: npm run load:webhooks -- [--rate 1000] [--seconds 60] [--duplicates 5] [--connections 256] [--on workerd]

  --rate         requests per second, 1 to 20000
  --seconds      1 to 86400
  --duplicates   per cent of the requests that repeat an earlier payment, 0 to 90
  --connections  sockets, 1 to 1000
  --on           workerd, or node: containers/edge`;

function wholeNumber(name: string, text: string, minimum: number, maximum: number): number {
  if (!/^\d{1,9}$/.test(text) || +text < minimum || +text > maximum) {
    throw new Error(`--${name} expects ${minimum} to ${maximum}\n\n${usage}`);
  }
  return Number(text);
}

function readArguments() {
  const text = (byDefault: string) => ({ type: 'string', default: byDefault }) as const;
  const { values } = parseArgs({
    options: {
      rate: text('1000'),
      seconds: text('60'),
      duplicates: text('5'),
      connections: text('256'),
      on: text('workerd'),
    },
  });
  if (values.on !== 'workerd' && values.on !== 'node')
    throw new Error(`--on expects workerd or node\n\n${usage}`);
  return {
    rate: wholeNumber('rate', values.rate, 1, 20_000),
    seconds: wholeNumber('seconds', values.seconds, 1, 86_400),
    duplicates: wholeNumber('duplicates', values.duplicates, 0, 90),
    connections: wholeNumber('connections', values.connections, 1, 1_000),
    on: values.on,
  } as const;
}

/** Copies are of one of the last so many payments: some of them are still under way. */
const copiesOf = 10_000;
const warmUpRequests = 200;
const attempts = 20;

interface Sent {
  reference: string;
  body: string;
}

async function main(): Promise<boolean> {
  const { rate, seconds, duplicates, connections, on } = readArguments();
  const folder = mkdtempSync(join(tmpdir(), 'recoup-load-'));
  // Postgres may run as another user, who has to get through to its data.
  chmodSync(folder, 0o711);
  const ports = { PORT: await freePort(), WEBHOOKS_PORT: await freePort(), AUTH_PORT: await freePort() };
  const env = {
    ...process.env,
    ...ownServers,
    ...Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, String(port)])),
    LOG_LEVEL: 'warn',
    WEBHOOK_RATE_LIMIT_PER_MINUTE: '100000000',
    EVENT_STREAM_MAX_LENGTH: String(Math.max(1_000_000, 2 * rate * seconds)),
    KAFKA_BATCH_SIZE: '1000',
  };
  try {
    await using stack = await startStack({
      settings: readStartSettings(env),
      env,
      folder,
      signal: new AbortController().signal,
      onLoss: (line) => {
        throw new Error(line);
      },
    });
    await using beside = new AsyncDisposableStack();
    const channel = stack.channels.standard;
    if (!channel) throw new Error('the load test needs the channel standard');
    const own = mkdtempSync(join(folder, 'beside-'));
    const node =
      on === 'node' ? beside.adopt(await edgeOnNode(stack, own, {}), (edge) => edge.stop()) : undefined;
    const port = node?.port ?? ports.WEBHOOKS_PORT;
    const pids = {
      [on]: node?.pid ?? pidIn(join(folder, 'workerd.pid')),
      ...(!node && { 'neon-door': pidIn(join(folder, 'neon-door.pid')) }),
      'upstash-door': pidIn(join(folder, 'upstash-door.pid')),
      publisher: pidIn(join(folder, 'publisher.pid')),
      postgres: pidIn(join(folder, 'postgres.pid')),
      redis: pidIn(join(folder, 'redis.pid')),
    };

    const prefix = `LOAD-${randomUUID().slice(0, 8)}-`;
    const accepted = new Set<string>();
    const statuses = new Map<number | 'none', number>();
    const unanswered: Sent[] = [];
    const inFlight = new Map<number, Sent>();
    const recent: Sent[] = [];
    let latencies: number[] = [];
    let made = 0;
    const make = (): Sent => {
      const reference = `${prefix}${made}`;
      const sent = { reference, body: JSON.stringify({ ...samplePayment(), reference_number: reference }) };
      recent[made % copiesOf] = sent;
      made += 1;
      return sent;
    };
    const requestOf = (sent: Sent, n: number): Buffer => {
      inFlight.set(n, sent);
      const length = String(Buffer.byteLength(sent.body));
      const headers = { ...sign(channel, sent.body), host: `127.0.0.1:${port}`, 'content-length': length };
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
      return Buffer.from(
        `POST ${new URL(channel.url).pathname} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${sent.body}`,
      );
    };
    const request = (n: number): Buffer => {
      const copied = Math.random() * 100 < duplicates && recent[Math.floor(Math.random() * recent.length)];
      return requestOf(copied || make(), n);
    };
    const answered = (n: number, status: number | undefined, ms: number): void => {
      const sent = inFlight.get(n) as Sent;
      inFlight.delete(n);
      latencies.push(ms);
      statuses.set(status ?? 'none', (statuses.get(status ?? 'none') ?? 0) + 1);
      if (status === 201 || status === 200) accepted.add(sent.reference);
      else unanswered.push(sent);
    };
    const loop = { host: '127.0.0.1', port, connections, request, answered };

    await sendAtPace({
      ...loop,
      perSecond: Math.min(rate, 100),
      seconds: warmUpRequests / Math.min(rate, 100),
    });
    latencies = [];
    statuses.clear();
    const memory = { start: memoryMiB(pids), middle: memoryMiB(pids), end: memoryMiB(pids) };
    const middle = setTimeout(() => {
      memory.middle = memoryMiB(pids);
    }, seconds * 500);
    console.log(`${rate} requests/s for ${seconds} s to ${on}, ${duplicates} % of them copies ...`);
    const startedAt = performance.now();
    await sendAtPace({ ...loop, perSecond: rate, seconds });
    const tookSeconds = (performance.now() - startedAt) / 1_000;
    clearTimeout(middle);
    memory.end = memoryMiB(pids);

    const created = statuses.get(201) ?? 0;
    const duplicate = statuses.get(200) ?? 0;
    const failed = latencies.length - created - duplicate;
    console.log(
      `answered ${latencies.length} in ${tookSeconds.toFixed(1)} s: created ${created}, duplicate ${duplicate}, failed ${failed}`,
    );
    for (const [status, times] of statuses) {
      if (status !== 200 && status !== 201)
        console.log(`  ${times} x ${status === 'none' ? 'no answer' : status}`);
    }
    const ms = (share: number) => `${percentile(latencies, share).toFixed(1)} ms`;
    console.log(
      `latency from the moment due: p50 ${ms(0.5)}, p95 ${ms(0.95)}, p99 ${ms(0.99)}, longest ${ms(1)}`,
    );

    // As a sender does it: what was not accepted is sent again until it is.
    for (let attempt = 0; unanswered.length > 0 && attempt < attempts; attempt++) {
      const again = unanswered.splice(0);
      const repeat = (n: number) => requestOf(again[n] as Sent, n);
      await sendAtPace({ ...loop, perSecond: 100, seconds: again.length / 100, request: repeat });
    }
    const { faults, ...verified } = await verifyPayments(stack, prefix, accepted);
    console.log(
      `accepted ${verified.accepted}, recorded ${verified.recorded}, published ${verified.published['payment.events']} on payment.events and ${verified.published['payment.lifecycle']} on payment.lifecycle`,
    );
    for (const fault of faults) console.log(`  ${fault}`);
    console.table(
      Object.fromEntries(
        Object.keys(pids).map((name) => {
          const [start, mid, end] = [memory.start[name], memory.middle[name], memory.end[name]];
          const ratio = mid && end ? +(end / mid).toFixed(2) : undefined;
          return [
            name,
            { 'MiB at the start': start, 'in the middle': mid, 'at the end': end, 'end / middle': ratio },
          ];
        }),
      ),
    );
    return faults.length === 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

try {
  if (!(await main())) process.exitCode = 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
