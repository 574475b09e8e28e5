// `npm start`: the whole system on this machine, on real servers. Ctrl-C or SIGTERM stops every part and leaves no
// process and no lock; the data stays until `npm start -- --reset`.

import { rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { retiredSettings } from '../shared/retired-settings.ts';
import { say } from './progress.ts';
import { forgetRunning, type Running, writeRunning } from './running.ts';
import { curlLine, samplePayment } from './sample-payments.ts';
import { removePostgresData } from './servers/postgres.ts';
import { loadEnvFile, readStartSettings, stateFolder } from './stack/settings.ts';
import { type Stack, startStack } from './stack/stack.ts';

const startedAt = performance.now();
const interruption = new AbortController();
let stack: Stack | undefined;
let leaving = false;
let lostPart = false;

/** Stops what runs, once, and ends the process. */
async function leave(code: number): Promise<void> {
  if (leaving) return;
  leaving = true;
  if (stack) forgetRunning();
  try {
    await stack?.[Symbol.asyncDispose]();
  } catch (error) {
    say((error as Error).message);
  }
  say('Recoup has stopped.');
  process.exit(code);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (!interruption.signal.aborted) say('\nStopping ...');
    interruption.abort();
    // While it starts, the start itself stops at its next step.
    if (stack) void leave(0);
  });
}

function describe(running: Running, logIsKafka: boolean, demoCustomer: string | undefined): string {
  const payment = samplePayment();
  // Providers sign and write in ways of their own.
  const channel = Object.values(running.channels).find(
    ({ scheme, events }) => (scheme === 'standard' || scheme === 'hmac') && !events,
  );
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const database = new URL(running.databaseUrl);
  const people = Object.keys(running.staff);
  const redis = new URL(running.redisUrl);
  return `
Recoup is running (started in ${seconds} s).

  Front door   ${running.urls.api}   webhooks, staff API, auth, /health, /metrics
  Webhooks     ${running.urls.webhooks}
  Auth         ${running.urls.auth}
  PostgreSQL   ${database.host}${database.pathname}
  Redis        ${redis.host}   and one of its own for payments accepted during an outage
  Event log    ${logIsKafka ? `Kafka at ${running.kafkaBrokers}` : 'Redis stream payment.events (KAFKA_BROKERS makes it Kafka)'}
  Logs         ${relative(process.cwd(), join(stateFolder(), 'logs'))}/
  For scripts  ${relative(process.cwd(), join(stateFolder(), 'running.json'))}: addresses, channels' secrets, an API key${
    people.length > 0
      ? `
  Sign in as   ${people.join(', ')}; passwords are in ${relative(process.cwd(), join(stateFolder(), 'secrets.json'))}, under "staff"`
      : ''
  }
${
  channel
    ? `
Send a signed payment (good for five minutes; \`npm run send -- --curl\` prints a fresh one):

${curlLine(channel, payment)}

Read it back:

curl -sS -H 'authorization: Bearer ${running.apiKey}' ${running.urls.api}/api/v1/payments/${payment.reference_number}
`
    : ''
}${
  demoCustomer
    ? `
There are made-up customers (DEMO_DATA=false: none are added). Read one, with their loans:

curl -sS -H 'authorization: Bearer ${running.apiKey}' ${running.urls.api}/api/v1/customers/${demoCustomer}
`
    : ''
}
Send many with \`npm run send -- --count 1000\`, a servicing event with \`npm run send -- --event\`. Stop with Ctrl-C; the data stays.`;
}

try {
  const { values } = parseArgs({ options: { reset: { type: 'boolean', default: false } } });
  loadEnvFile();
  const settings = readStartSettings(process.env);
  for (const line of retiredSettings(process.env)) say(line);
  if (values.reset) {
    await removePostgresData(join(stateFolder(), 'postgres'));
    for (const part of ['redis', 'accepted-redis', 'logs', 'secrets.json']) {
      rmSync(join(stateFolder(), part), { recursive: true, force: true });
    }
    say('Emptied: the database, Redis, logs and secrets that npm start keeps itself.');
  }
  stack = await startStack({
    settings,
    env: process.env,
    folder: stateFolder(),
    demoData: settings.demoData,
    signal: interruption.signal,
    onLoss: (line) => {
      say(line);
      lostPart = true;
      if (stack) void leave(1);
      else interruption.abort();
    },
  });
  const { [Symbol.asyncDispose]: _, inside: __, demoCustomer, ...parts } = stack;
  writeRunning({ pid: process.pid, ...parts });
  say(describe({ pid: process.pid, ...parts }, settings.kafkaBrokers !== undefined, demoCustomer));
  if (interruption.signal.aborted) await leave(lostPart ? 1 : 0);
  // The parts are processes of their own and would not keep this one alive.
  setInterval(() => {}, 60_000);
} catch (error) {
  if (!interruption.signal.aborted) say(error instanceof Error ? error.message : String(error));
  await leave(interruption.signal.aborted && !lostPart ? 0 : 1);
}
