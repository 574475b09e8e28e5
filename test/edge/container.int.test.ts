// The edge without Cloudflare, as a process on each runtime that has to run it: what the suite of the Workers cannot
// see, because it is not about the apps but about what serves them.

import { type ChildProcess, spawn } from 'node:child_process';
import { afterEach, describe, expect, test } from 'vitest';
import { aPayment, ask, deliver, eventually, tally, webhookUrl } from './asking.ts';
import { containerEnv, containerRuntimes } from './container.ts';
import { transactionsOf, whileOutboxIsHeld } from './held-outbox.ts';
import { type Edge, freePorts, urlsOf } from './runtimes.ts';
import { useWorld } from './world.ts';

interface Started extends Edge {
  process: ChildProcess;
  ended: Promise<number | null>;
  probe(path: string): Promise<number | undefined>;
}

describe.each(Object.keys(containerRuntimes) as Array<keyof typeof containerRuntimes>)('on %s', (runtime) => {
  const world = useWorld('container');
  const started: Started[] = [];

  /** Without waiting for anything. */
  async function start(more: Record<string, string> = {}): Promise<Started> {
    const ports = await freePorts();
    const urls = urlsOf(ports);
    const { settings, edgeDatabaseUrl } = world.edgeOptions();
    const env = { ...containerEnv(ports, settings, edgeDatabaseUrl), ...more };
    const { command, args } = containerRuntimes[runtime]();
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let printed = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (printed += chunk));
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    const edge: Started = {
      process: child,
      urls,
      log: () => printed,
      ended,
      stop: async () => void (child.kill('SIGKILL') && (await ended)),
      probe: (path) =>
        ask(`${urls.api}${path}`).then(
          ({ status }) => status,
          () => undefined,
        ),
    };
    started.push(edge);
    return edge;
  }
  const until = async (edge: Started, path: string, status: number) =>
    expect(
      await eventually(
        () => edge.probe(path),
        (found) => found === status,
        20_000,
      ),
      edge.log(),
    ).toBe(status);
  async function ready(more: Record<string, string> = {}): Promise<Started> {
    const edge = await start(more);
    await until(edge, '/readyz', 200);
    return edge;
  }
  afterEach(async () => {
    await Promise.all(started.splice(0).map((edge) => edge.process.exitCode ?? edge.stop()));
  });

  test('payments are taken at the front door and at the webhooks’ own, and staff read them', async () => {
    const edge = await ready();
    for (const to of ['api', 'webhooks'] as const) {
      const body = aPayment();
      expect((await deliver(edge, body, { to })).status).toBe(201);
      const authorization = `Bearer ${await world.newKey(['payments:read'])}`;
      const url = `${edge.urls.api}/api/v1/payments/${body.reference_number}`;
      expect((await ask(url, { headers: { authorization } })).status).toBe(200);
    }
    expect((await ask(`${edge.urls.auth}/api/v1/auth/me`)).status).toBe(401);
  });

  test('payments that arrive together share statements, each with an answer of its own', async () => {
    const edge = await ready();
    const bodies = Array.from({ length: 40 }, () => aPayment());
    const copies = [...bodies, ...bodies.slice(0, 10)];
    const answers = await whileOutboxIsHeld(world, () =>
      copies.map((body) => deliver(edge, body, { to: 'webhooks' })),
    );
    expect(tally(answers)).toEqual({ 201: 40, 200: 10 });
    expect(new Set(answers.map(({ body }) => body.payment_id)).size).toBe(40);
    expect(await transactionsOf(world, bodies)).toBeLessThan(10);
  });

  test('who calls is the socket’s peer, and what a header says counts only from a trusted proxy', async () => {
    const behindProxy = { 'x-forwarded-for': '198.51.100.7, 203.0.113.9', 'cf-connecting-ip': '203.0.113.9' };
    const [open, trusting] = await Promise.all([ready(), ready({ TRUSTED_PROXIES: '127.0.0.0/8, ::1' })]);
    for (const to of ['api', 'webhooks'] as const) {
      const delivery = { to, channel: 'fenced', headers: behindProxy } as const;
      expect((await deliver(open, aPayment(), delivery)).status).toBe(403);
      expect((await deliver(trusting, aPayment(), delivery)).status).toBe(201);
      expect((await deliver(trusting, aPayment(), { to, channel: 'fenced' })).status).toBe(403);
    }
  });

  test('what was recorded before it started is remembered: a duplicate is known without the database', async () => {
    const body = aPayment();
    const { payment_id } = (await deliver(world.edge, body)).body;
    const edge = await ready({ ENABLE_REDIS_CACHE: 'false' });
    expect(edge.log()).toMatch(/"event":"edge_ready".*"remembered":[1-9]/);
    await world.gates.postgres.goAway();
    const again = await deliver(edge, body, { to: 'webhooks' });
    expect([again.status, again.body]).toEqual([200, { status: 'duplicate', payment_id }]);
  });

  test('during an outage it starts with a cold memory after a while, and accepts payments', async () => {
    await world.gates.postgres.goAway();
    const edge = await start(world.accepting);
    await until(edge, '/startupz', 200);
    const answer = await deliver(edge, aPayment());
    expect([answer.status, answer.body.status]).toEqual([202, 'accepted']);
  });

  test('until its memory is warm it answers probes alone, and waits for a database that is away', async () => {
    await world.gates.postgres.goAway();
    const edge = await start();
    await until(edge, '/startupz', 503);
    expect(await edge.probe('/livez')).toBe(503);
    expect(await edge.probe('/readyz')).toBe(503);
    // It is no Worker that answers, so nothing describes what it says.
    const unready = await fetch(webhookUrl(edge, {}), { method: 'POST' });
    expect(unready.status).toBe(503);
    await world.gates.postgres.comeBack();
    await until(edge, '/readyz', 200);
    expect([await edge.probe('/startupz'), await edge.probe('/livez')]).toEqual([200, 200]);
    expect((await deliver(edge, aPayment())).status).toBe(201);
  });

  test('it is alive without Redis, and not ready', async () => {
    const edge = await ready();
    await world.gates.redis.goAway();
    await until(edge, '/readyz', 503);
    expect(await edge.probe('/livez')).toBe(200);
    await world.gates.redis.comeBack();
    await until(edge, '/readyz', 200);
  });

  test('told to stop, it takes nothing more, answers what it has accepted and exits 0', async () => {
    const edge = await ready();
    let answer: ReturnType<typeof deliver> | undefined;
    await world.db.transaction(async (tx) => {
      await tx.query('lock table outbox.messages in exclusive mode');
      answer = deliver(edge, aPayment(), { to: 'webhooks' });
      const waiting = () =>
        world.db.query(
          `select from pg_stat_activity where wait_event_type = 'Lock' and usename = 'recoup_webhooks'
             and datname = current_database()`,
        );
      expect(await eventually(waiting, (rows) => rows.length > 0, 5_000)).toHaveLength(1);
      edge.process.kill('SIGTERM');
      const taking = () => edge.probe('/startupz');
      expect(await eventually(taking, (status) => status === undefined, 5_000)).toBe(undefined);
      expect(edge.process.exitCode).toBe(null);
    });
    expect((await answer)?.status).toBe(201);
    expect(await edge.ended).toBe(0);
    expect(edge.log()).toMatch(/"event":"edge_stopped".*"drained":true/);
  });

  test('told to stop, it ends the streams of those who watch', async () => {
    const edge = await ready();
    const headers = { authorization: `Bearer ${await world.newKey(['payments:read'])}` };
    const stream = await fetch(`${edge.urls.api}/api/v1/stream`, { headers });
    const text = stream.text();
    edge.process.kill('SIGTERM');
    expect(await text).toContain('retry:');
    expect(await edge.ended).toBe(0);
    expect(edge.log()).toMatch(/"event":"edge_stopped".*"drained":true/);
  });

  test('settings that do not parse are all said at once, and nothing starts', async () => {
    const edge = await start({
      DB_POOL_MAX: '5',
      TRUSTED_PROXIES: '10.0.0.0/8, proxy',
      CHANNELS: '{}',
      EDGE_DATABASE_URL: '',
      API_DATABASE_URL: 'nonsense',
    });
    expect(await edge.ended).toBe(1);
    for (const name of ['TRUSTED_PROXIES', 'EDGE_DATABASE_URL', 'API_DATABASE_URL']) {
      expect(edge.log()).toContain(name);
    }
  });
});
