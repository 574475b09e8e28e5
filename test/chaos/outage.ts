// Takes Postgres away under load, for as long as told, and brings it back: the server process itself is stopped and
// started again. Afterwards every payment that was answered with success is there, once, under the id that was answered.

import { randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { createClient } from 'redis';
import { type SampleChannel, type SamplePayment, samplePayment, sign } from '../../dev/sample-payments.ts';
import { freePort } from '../../dev/servers/port.ts';
import { startPostgres } from '../../dev/servers/postgres.ts';
import { ownServers, readStartSettings } from '../../dev/stack/settings.ts';
import { startStack } from '../../dev/stack/stack.ts';

export interface Outage {
  folder: string;
  /** How long Postgres is away. */
  seconds: number;
  /** Webhooks per second, before, during and after. */
  perSecond: number;
  say: (line: string) => void;
}

export interface OutageResult {
  /** Answers by what they said: created, duplicate, accepted, or the status of a refusal. */
  answers: Record<string, number>;
  /** Payments that were answered with success at least once. */
  promised: number;
  /** From Postgres being back until nothing waits any more. */
  drainedAfterSeconds: number;
  /** What was promised and is not exactly once in each place. */
  broken: string[];
}

/** Also the time under load before and after the outage. */
export const aroundSeconds = 3;
const drainWithinMs = 120_000;
const answerWithinMs = 30_000;
const repeatedShare = 0.1;
/** A machine that is slower than the rate asked for is sent what it can take. */
const mostUnderWay = 250;

export async function runOutage({ folder, seconds, perSecond, say }: Outage): Promise<OutageResult> {
  await using ending = new AsyncDisposableStack();
  const postgres = {
    dataDir: join(folder, 'outage-postgres'),
    logFile: join(folder, 'outage-postgres.log'),
    password: randomBytes(16).toString('hex'),
    port: await freePort(),
  };
  let server = await startPostgres(postgres);
  ending.defer(() => server.stop());
  const ports = { PORT: await freePort(), WEBHOOKS_PORT: await freePort(), AUTH_PORT: await freePort() };
  const env = {
    ...process.env,
    ...ownServers,
    ...Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, String(port)])),
    DATABASE_URL: server.url,
  };
  const losses: string[] = [];
  const stack = ending.use(
    await startStack({
      settings: readStartSettings(env),
      env,
      folder,
      // So that everything that was announced can be counted in the outbox.
      publisher: false,
      signal: new AbortController().signal,
      onLoss: (line) => losses.push(line),
    }),
  );
  const channel = stack.channels.standard as SampleChannel;
  const redis = createClient({ url: stack.acceptedRedisUrl });
  await redis.connect();
  ending.defer(() => redis.destroy());

  const load = startLoad(channel, perSecond);
  await sleep(aroundSeconds * 1_000);
  await server.stop();
  say(`Postgres is away for ${seconds} s`);
  await sleep(seconds * 1_000);
  say(`waiting in the stream: ${await redis.xLen('accepted:payments')}`);
  server = await startPostgres(postgres);
  const backAt = performance.now();
  say('Postgres is back');
  const drained = untilEmpty(() => redis.xLen('accepted:payments'), backAt + drainWithinMs);
  await sleep(aroundSeconds * 1_000);
  const { answers, promises } = await load.stop();
  const drainedAfterSeconds = ((await drained) - backAt) / 1_000;
  // What was accepted in the last moments of the load.
  await untilEmpty(() => redis.xLen('accepted:payments'), performance.now() + drainWithinMs);
  return {
    answers,
    promised: promises.size,
    drainedAfterSeconds,
    broken: [...losses, ...(await brokenPromises(server.url, promises))],
  };
}

/** Answers when it was. */
async function untilEmpty(length: () => Promise<number>, deadline: number): Promise<number> {
  while ((await length()) > 0) {
    if (performance.now() > deadline) throw new Error(`still waiting in the stream: ${await length()}`);
    await sleep(50);
  }
  return performance.now();
}

/**
 * Sends at a steady rate whatever the answers, as long as answers keep up; a tenth of the payments is sent once more,
 * some time later.
 */
function startLoad(channel: SampleChannel, perSecond: number) {
  const agent = new Agent({ keepAlive: true, maxSockets: mostUnderWay });
  const answers: Record<string, number> = {};
  /** The id that was answered, by reference. */
  const promises = new Map<string, string>();
  const underWay = new Set<Promise<void>>();
  const repeats: SamplePayment[] = [];
  let ticks = 0;

  const send = async (payment: SamplePayment) => {
    const { status, body } = await post(agent, channel, JSON.stringify(payment));
    const said = status < 300 ? (body.status as string) : String(status);
    answers[said] = (answers[said] ?? 0) + 1;
    if (status >= 300) return;
    const { reference_number: reference } = payment;
    const id = String(body.payment_id);
    const earlier = promises.get(reference) ?? id;
    promises.set(reference, earlier === id ? id : `${earlier} and ${id}`);
  };
  const startedAt = performance.now();
  const timer = setInterval(() => {
    for (; ticks < ((performance.now() - startedAt) / 1_000) * perSecond; ticks++) {
      if (underWay.size >= mostUnderWay) continue;
      const repeat = ticks % Math.round(1 / repeatedShare) === 0 ? repeats.shift() : undefined;
      const payment = repeat ?? samplePayment();
      if (ticks % 4 === 0 && !repeat) repeats.push(payment);
      const sending = send(payment).finally(() => underWay.delete(sending));
      underWay.add(sending);
    }
  }, 20);
  return {
    async stop() {
      clearInterval(timer);
      await Promise.all(underWay);
      agent.destroy();
      return { answers, promises };
    },
  };
}

function post(
  agent: Agent,
  channel: SampleChannel,
  body: string,
): Promise<{ status: number; body: Record<string, string> }> {
  return new Promise((resolve, reject) => {
    const headers = sign(channel, body);
    const sent = request(channel.url, { method: 'POST', agent, headers, timeout: answerWithinMs });
    sent.once('response', async (answer) => {
      const chunks: Buffer[] = await answer.toArray();
      resolve({ status: answer.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString()) });
    });
    sent.once('timeout', () => sent.destroy(new Error('no answer in time')));
    sent.once('error', reject);
    sent.end(body);
  });
}

/** Of every promised payment there must be one reference, one payment and one message for each topic. */
async function brokenPromises(url: string, promises: Map<string, string>): Promise<string[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ reference: string; ids: string; places: string }>(
      `with promised as (
         select * from unnest($1::text[]) as reference
       ), known as (
         select reference_number as reference, count(*) as n, string_agg(payment_id::text, ' ') as ids
         from payment_service.payment_references group by 1
       ), paid as (
         select reference_number as reference, count(*) as n from payment_service.payments group by 1
       ), told as (
         select p.reference_number as reference,
                count(*) filter (where m.topic = 'payment.events') as events,
                count(*) filter (where m.topic = 'payment.lifecycle') as lifecycle
         from outbox.messages m join payment_service.payments p on p.event_id = m.event_id group by 1
       )
       select reference, known.ids, concat_ws(' ', known.n, paid.n, told.events, told.lifecycle) as places
       from promised left join known using (reference) left join paid using (reference) left join told using (reference)`,
      [[...promises.keys()]],
    );
    return rows
      .filter(({ reference, ids, places }) => ids !== promises.get(reference) || places !== '1 1 1 1')
      .map(({ reference, ids, places }) => `${reference}: ${promises.get(reference)} is ${ids}, ${places}`);
  } finally {
    await client.end();
  }
}
