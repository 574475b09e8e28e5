// The promise of the README: start, paste the printed line, see the payment, find its message in the log, stop.

import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { readStream, readTopic } from '../../containers/publisher/testing.ts';
import { freePorts, npmRun, npmStart, paste, processesOf, type RunningSystem, until } from './system.ts';

/** Where Postgres' own user can reach it; what a failing test leaves in it goes with the run. */
function newFolder(): string {
  const folder = mkdtempSync(join(inject('runFolder'), 'journey-'));
  chmodSync(folder, 0o711);
  return folder;
}

const startedText = 'Recoup is running';
const curlLines = (system: RunningSystem) =>
  system
    .output()
    .split('\n')
    .filter((line) => line.startsWith('curl '));

describe('npm start', { timeout: 120_000 }, () => {
  const folder = newFolder();
  let ports: Awaited<ReturnType<typeof freePorts>>;
  let system: RunningSystem;
  let payment: { status: string; payment_id: string };

  beforeAll(async () => {
    ports = await freePorts();
    system = npmStart(folder, ports);
    await until(system, startedText);
  }, 90_000);
  afterAll(async () => {
    if (system.npm.exitCode === null) process.kill(-(system.npm.pid as number), 'SIGTERM');
    await system.ended;
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  it('prints a signed curl line that records a payment when pasted, and only once', async () => {
    const [post = ''] = curlLines(system);
    payment = JSON.parse(await paste(post));
    expect(payment.status).toBe('created');
    expect(JSON.parse(await paste(post))).toEqual({ ...payment, status: 'duplicate' });
  });

  it('prints a line that reads the payment back', async () => {
    const [, get = ''] = curlLines(system);
    expect(JSON.parse(await paste(get))).toMatchObject({ id: payment.payment_id, source: 'webhook' });
  });

  it('publishes the payment to the log, one message under the id of its event', async () => {
    const stream = () => readStream(system.running().redisUrl, 'payment.events');
    await expect.poll(async () => (await stream()).length, { timeout: 10_000 }).toBe(1);
    const [entry] = await stream();
    const event = JSON.parse(entry?.payload ?? '');
    expect(event).toMatchObject({ event_type: 'payment.recorded', payment: { id: payment.payment_id } });
    expect(entry?.eventId).toBe(event.event_id);
  });

  it('keeps what a script needs in a file that only its owner reads', () => {
    expect(statSync(join(folder, 'running.json')).mode & 0o777).toBe(0o600);
    const { urls, channels, apiKey, kafkaBrokers } = system.running();
    expect(urls.api).toBe(`http://127.0.0.1:${ports.PORT}`);
    expect(channels.standard?.secret).toMatch(/^whsec_/);
    expect(apiKey).toMatch(/^rk_/);
    expect(kafkaBrokers).toBeNull();
  });

  it('lets the administrator in that it has made, and says where the password is', async () => {
    const { urls, staff } = system.running();
    expect(system.output()).toMatch(/Sign in as {3}admin; passwords are in \S+secrets\.json, under "staff"/);
    expect(system.output()).not.toContain(staff.admin);
    const answer = await fetch(`${urls.api}/api/v1/auth/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ grant_type: 'password', username: 'admin', password: staff.admin }),
    });
    const { access_token } = (await answer.json()) as { access_token: string };
    const headers = { authorization: `Bearer ${access_token}` };
    const users = await (await fetch(`${urls.api}/api/v1/users`, { headers })).json();
    expect(users).toMatchObject({ data: [{ username: 'admin', roles: ['admin'] }], next: null });
  });

  it('is healthy, and counts what it did', async () => {
    const health = await fetch(`${system.running().urls.api}/health`);
    expect(await health.json()).toMatchObject({
      status: 'healthy',
      checks: { kafka: 'ok', publisher: 'ok', drain: 'ok', accepted_store: 'ok', accepted_backlog: 0 },
    });
    await expect
      .poll(async () => (await fetch(`${system.running().urls.api}/metrics`)).text(), { timeout: 5_000 })
      .toContain('recoup_webhook_payments_total{channel="standard",outcome="created"} 1');
  });

  it('has a sender of sample payments that reports what became of them', async () => {
    const report = await npmRun(
      folder,
      'send',
      '--count',
      '60',
      '--concurrency',
      '8',
      '--channel',
      'demo-bank',
    );
    expect(report).toContain('created 60, duplicate 0, refused 0');
    expect(report).toMatch(/latency p50 [\d.]+ ms, p95 [\d.]+ ms, p99 [\d.]+ ms/);
  });

  it('has a sender of one servicing event, which is in the database when it is answered', async () => {
    const report = await npmRun(folder, 'send', '--event');
    expect(report).toMatch(/202 \{"results":\[\{"status":"accepted","event_id":"[0-9a-f-]{36}"\}\]\}/);
    const line = (await npmRun(folder, 'send', '--event', '--curl'))
      .split('\n')
      .find((l) => l.startsWith('curl'));
    expect(await paste(line ?? '')).toContain('"status":"accepted"');
  });

  it('shows what events say about a customer, from a stream and over HTTP alike, and lists what it cannot read', async () => {
    const { urls, apiKey, redisUrl, channels } = system.running();
    const redis = createClient({ url: redisUrl });
    await redis.connect();
    const payload = {
      customer_id: 'cust-1',
      first_name: 'Ada',
      last_name: 'Lovelace',
      ekyc_status: 'SUCCESSFUL',
    };
    const event = { typ: 'customer.created.v1', conv: 'c-1', usr: 'cust-1', seq: '1' };
    await redis.xAdd('inbox:billie-servicing', '*', {
      ...event,
      id: 'journey-1',
      timestamp: '2026-11-20T10:00:00Z',
      payload: JSON.stringify(payload),
    });
    await redis.xAdd('inbox:billie-servicing', '*', { typ: 'customer.changed.v1', payload: '{broken' });
    redis.destroy();
    const line = (await npmRun(folder, 'send', '--event', '--curl'))
      .split('\n')
      .find((one) => one.startsWith('curl'));
    const [, cif = ''] = /"customer_id":"(CIF\d+)"/.exec(line ?? '') ?? [];
    await paste(line ?? '');
    expect(channels.servicing?.events).toBe(true);

    const customer = async (id: string) => {
      const answer = await fetch(`${urls.api}/api/v1/customers/${id}`, {
        headers: { authorization: `Bearer ${apiKey}` },
      });
      return answer.json();
    };
    await expect
      .poll(() => customer('cust-1'), { timeout: 20_000 })
      .toMatchObject({ customerId: 'cust-1', fullName: 'Ada Lovelace', ekycStatus: 'SUCCESSFUL' });
    await expect
      .poll(() => customer(cif), { timeout: 20_000 })
      .toMatchObject({ emailAddress: `${cif.toLowerCase()}@example.com` });
    await expect
      .poll(() => npmRun(folder, 'dead-letters', 'list'), { timeout: 20_000 })
      .toMatch(/inbox:billie-servicing .+\n.*waiting: 1/);
  });

  it('starts the projector again when it dies', async () => {
    const pid = () => Number.parseInt(readFileSync(join(folder, 'projector.pid'), 'utf8'), 10);
    const first = pid();
    process.kill(first, 'SIGKILL');
    await until(system, 'projector ended with SIGKILL although nobody asked it to');
    await expect.poll(pid, { timeout: 20_000 }).not.toBe(first);
  });

  it('makes an API key that may do what it was made for and nothing else, and ends it', async () => {
    const key = (await npmRun(folder, 'key', '--scope', 'metrics:read')).trim();
    const { urls } = system.running();
    const ask = (path: string) =>
      fetch(`${urls.api}${path}`, { headers: { authorization: `Bearer ${key}` } });
    expect((await ask('/api/v1/auth/me')).status).toBe(200);
    expect((await ask('/api/v1/payments/loan/LN1')).status).toBe(404);

    const [, prefix = ''] = key.split('_');
    expect(await npmRun(folder, 'key', '--revoke', prefix)).toContain(`revoked ${prefix}`);
    await expect.poll(async () => (await ask('/api/v1/auth/me')).status, { timeout: 8_000 }).toBe(401);
  });

  it('names a port that is taken in one line, and ends', async () => {
    const other = newFolder();
    const second = npmStart(other, ports);
    expect(await second.ended).toBe(1);
    expect(second.output()).toContain(`port ${ports.PORT} is already in use`);
    expect(second.output()).not.toContain('    at ');
    rmSync(other, { recursive: true, force: true });
  });

  it('refuses a second start in the same folder and leaves the first alone', async () => {
    const second = npmStart(folder, await freePorts());
    expect(await second.ended).toBe(1);
    expect(second.output()).toMatch(/Workers already runs for process \d+; stop that one first/);
    expect(system.running().urls.api).toBe(`http://127.0.0.1:${ports.PORT}`);
  });

  it('lists every broken setting at once, and ends', async () => {
    const other = newFolder();
    const second = npmStart(other, {
      ...ports,
      BUSINESS_TIME_ZONE: 'Mars',
      DEFAULT_CURRENCY: 'XYZ',
      WEBHOOK_TIMEOUT_MS: '-1',
    });
    expect(await second.ended).toBe(1);
    for (const name of ['BUSINESS_TIME_ZONE', 'DEFAULT_CURRENCY', 'WEBHOOK_TIMEOUT_MS']) {
      expect(second.output()).toContain(name);
    }
    rmSync(other, { recursive: true, force: true });
  });

  it('stops every part on SIGTERM, leaves no process and no lock, and has the data when it starts again', async () => {
    system.npm.kill('SIGTERM');
    expect(await system.ended).toBe(0);
    expect(await processesOf(folder)).toEqual([]);
    expect(readdirSync(folder).filter((file) => /\.pid$|^running/.test(file))).toEqual([]);

    system = npmStart(folder, ports);
    await until(system, startedText);
    const { urls, apiKey } = system.running();
    const again = await fetch(`${urls.api}/api/v1/auth/me`, {
      headers: { authorization: `Bearer ${apiKey}` },
    });
    expect(again.status).toBe(200);
    const health = await fetch(`${urls.api}/health`);
    expect(health.status).toBe(200);
  });

  it('starts again after it was killed, clearing what the killed one left', async () => {
    process.kill(-(system.npm.pid as number), 'SIGKILL');
    await system.ended;
    system = npmStart(folder, ports);
    await until(system, startedText);
    expect((await fetch(`${system.running().urls.api}/health`)).status).toBe(200);
  });

  it('ends with a line when a part is lost', async () => {
    const publisher = Number.parseInt(readFileSync(join(folder, 'publisher.pid'), 'utf8'), 10);
    process.kill(publisher, 'SIGKILL');
    expect(await system.ended).toBe(1);
    expect(system.output()).toMatch(/publisher ended with SIGKILL although nobody asked it to/);
    expect(await processesOf(folder)).toEqual([]);
    system = npmStart(folder, ports);
    await until(system, startedText);
  });

  it('stops on Ctrl-C too, and --reset empties it', async () => {
    process.kill(-(system.npm.pid as number), 'SIGINT');
    await system.ended;
    expect(await processesOf(folder)).toEqual([]);

    system = npmStart(folder, { ...ports, DEMO_DATA: 'true' }, ['--reset']);
    await until(system, startedText);
    const { urls, apiKey } = system.running();
    const read = async (path: string) => {
      const answer = await fetch(`${urls.api}${path}`, { headers: { authorization: `Bearer ${apiKey}` } });
      return answer.json();
    };
    expect(await read('/api/v1/payment-conflicts')).toEqual({ data: [], next: null });
    expect(await read(`/api/v1/payments/${payment.payment_id}`)).toMatchObject({ status: 404 });
    expect(await read('/api/v1/customers/cust-1')).toMatchObject({ status: 404 });
  });

  it('has made-up customers after its first start, and prints a line that reads one with the last payment', async () => {
    const line = curlLines(system).find((one) => one.includes('/api/v1/customers/'));
    await expect
      .poll(async () => JSON.parse(await paste(line ?? '')), { timeout: 20_000 })
      .toMatchObject({
        cif: 'CIF000000',
        loans: [
          { accountNumber: 'LN00000000', lastPayment: { source: 'received', reference: 'DEMO-LN00000000' } },
        ],
      });
  });
});

describe('npm start with KAFKA_BROKERS', { timeout: 120_000 }, () => {
  it('publishes to Kafka', async ({ skip }) => {
    const brokers = inject('kafkaBrokers');
    if (brokers === null) return skip('no Kafka');
    const folder = newFolder();
    const topic = `journey-${process.pid}`;
    const system = npmStart(folder, { ...(await freePorts()), KAFKA_BROKERS: brokers, KAFKA_TOPIC: topic });
    try {
      await until(system, startedText);
      const [post = ''] = curlLines(system);
      const { payment_id } = JSON.parse(await paste(post));
      await expect.poll(async () => (await readTopic(brokers, topic)).length, { timeout: 20_000 }).toBe(1);
      const [message] = await readTopic(brokers, topic);
      const event = JSON.parse(message?.payload ?? '');
      expect(event.payment.id).toBe(payment_id);
      expect(message?.eventId).toBe(event.event_id);
    } finally {
      process.kill(-(system.npm.pid as number), 'SIGTERM');
      await system.ended;
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
