// `npm run send`: posts signed sample payments, or an event, to the system that runs here and reports what
// became of them.

import { Agent, request } from 'node:http';
import { parseArgs } from 'node:util';
import { readRunning } from './running.ts';
import { curlLine, type SampleChannel, sampleEvent, samplePayment, sign } from './sample-payments.ts';
import { loadEnvFile } from './stack/settings.ts';

const usage = `Usage: npm run send -- [--count 1000] [--concurrency 32] [--channel standard] [--duplicates 0] [--curl]
       npm run send -- --event [--channel servicing] [--curl]

  --count        payments to send, 1 to 10000000
  --concurrency  requests at a time, 1 to 1000
  --channel      a channel of the running system
  --duplicates   per cent of the requests that repeat an earlier payment, 0 to 100
  --event        send one servicing event, customer.changed.v1
  --curl         print one signed curl line instead`;

function wholeNumber(name: string, text: string, minimum: number, maximum: number): number {
  if (!/^\d{1,9}$/.test(text) || +text < minimum || +text > maximum) {
    throw new Error(`--${name} expects ${minimum} to ${maximum}\n\n${usage}`);
  }
  return Number(text);
}

function readArguments() {
  const { values } = parseArgs({
    options: {
      count: { type: 'string', default: '1000' },
      concurrency: { type: 'string', default: '32' },
      channel: { type: 'string' },
      duplicates: { type: 'string', default: '0' },
      event: { type: 'boolean', default: false },
      curl: { type: 'boolean', default: false },
    },
  });
  return {
    count: wholeNumber('count', values.count, 1, 10_000_000),
    concurrency: wholeNumber('concurrency', values.concurrency, 1, 1_000),
    duplicates: wholeNumber('duplicates', values.duplicates, 0, 100),
    channel: values.channel ?? (values.event ? 'servicing' : 'standard'),
    event: values.event,
    curl: values.curl,
  };
}

const timeoutMs = 30_000;

/** Posts one body; the answer's status, or why there was none. */
function post(agent: Agent, channel: SampleChannel, body: string): Promise<number | string> {
  return new Promise((resolve) => {
    const sent = request(channel.url, {
      method: 'POST',
      agent,
      headers: sign(channel, body),
      timeout: timeoutMs,
    });
    sent.once('response', (answer) => {
      answer.resume();
      answer.once('end', () => resolve(answer.statusCode ?? 'no status'));
      answer.once('error', (error) => resolve(error.message));
    });
    sent.once('timeout', () => sent.destroy(new Error('timed out')));
    sent.once('error', (error) => resolve(error.message));
    sent.end(body);
  });
}

/** A bar on a terminal, a line every tenth on a pipe. */
function progress(done: number, count: number, startedAt: number): void {
  const rate = Math.round(done / ((performance.now() - startedAt) / 1000));
  if (process.stdout.isTTY) {
    const filled = Math.floor((done / count) * 30);
    process.stdout.write(`\r[${'#'.repeat(filled).padEnd(30, '.')}] ${done}/${count}  ${rate}/s `);
    if (done === count) process.stdout.write('\n');
  } else if (done % Math.ceil(count / 10) === 0 || done === count) {
    console.log(`${done}/${count}  ${rate}/s`);
  }
}

async function send(
  { count, concurrency, duplicates }: ReturnType<typeof readArguments>,
  channel: SampleChannel,
) {
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  const answers = new Map<number | string, number>();
  const latencies: number[] = [];
  const sentBodies: string[] = [];
  const startedAt = performance.now();
  let next = 0;
  let done = 0;
  const sender = async () => {
    while (next < count) {
      next += 1;
      const repeated =
        Math.random() * 100 < duplicates
          ? sentBodies[Math.floor(Math.random() * sentBodies.length)]
          : undefined;
      const body = repeated ?? JSON.stringify(samplePayment());
      const at = performance.now();
      const answer = await post(agent, channel, body);
      latencies.push(performance.now() - at);
      answers.set(answer, (answers.get(answer) ?? 0) + 1);
      if (repeated === undefined && sentBodies.length < 10_000) sentBodies.push(body);
      done += 1;
      if (done % 50 === 0 || done === count || !process.stdout.isTTY) progress(done, count, startedAt);
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, count) }, sender));
  agent.destroy();
  return { answers, latencies, seconds: (performance.now() - startedAt) / 1000 };
}

function report({ answers, latencies, seconds }: Awaited<ReturnType<typeof send>>): void {
  const sorted = latencies.toSorted((a, b) => a - b);
  const percentile = (share: number) =>
    `${(sorted[Math.ceil(sorted.length * share) - 1] ?? 0).toFixed(1)} ms`;
  const created = answers.get(201) ?? 0;
  const duplicate = answers.get(200) ?? 0;
  const refusals = [...answers].filter(([answer]) => answer !== 201 && answer !== 200);
  const refused = refusals.reduce((sum, [, times]) => sum + times, 0);
  console.log(`created ${created}, duplicate ${duplicate}, refused ${refused}`);
  for (const [answer, times] of refusals) console.log(`  ${times} x ${answer}`);
  console.log(`${(latencies.length / seconds).toFixed(0)} payments/s over ${seconds.toFixed(1)} s`);
  console.log(`latency p50 ${percentile(0.5)}, p95 ${percentile(0.95)}, p99 ${percentile(0.99)}`);
  if (refused > 0) process.exitCode = 1;
}

async function sendEvent(channel: SampleChannel): Promise<void> {
  const body = JSON.stringify(sampleEvent());
  const signal = AbortSignal.timeout(timeoutMs);
  const answer = await fetch(channel.url, { method: 'POST', headers: sign(channel, body), body, signal });
  console.log(`${answer.status} ${await answer.text()}`);
  if (!answer.ok) process.exitCode = 1;
}

try {
  const given = readArguments();
  loadEnvFile();
  const { channels } = readRunning();
  const channel = channels[given.channel];
  if (!channel)
    throw new Error(`no channel ${given.channel}; there are: ${Object.keys(channels).join(', ')}`);
  if ((channel.events === true) !== given.event)
    throw new Error(`${given.channel} brings ${given.event ? 'payments' : 'events: add --event'}`);
  if (given.curl) console.log(curlLine(channel, given.event ? sampleEvent() : samplePayment()));
  else if (given.event) await sendEvent(channel);
  else report(await send(given, channel));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
