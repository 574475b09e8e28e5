// The database goes away or is too slow, and payments are accepted all the same: whatever was answered with success is
// recorded once when the drain has run, whichever copy of it reaches the database first.

import { createClient } from 'redis';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openPool, type Pool } from '../../containers/database.ts';
import { type AcceptedStream, openAcceptedStream } from '../../containers/drain/accepted-stream.ts';
import { draining } from '../../containers/drain/drain.ts';
import { createLog } from '../../shared/log.ts';
import { aPayment, ask, deliver, doors, eventually, expectProblem, read, tally } from './asking.ts';
import { type Edge, runtimes } from './runtimes.ts';
import { useWorld } from './world.ts';

const timeoutMs = 1_000;
const stream = 'accepted:payments';
/** The circuit breaker lets one request through in a second. */
const probedWithinMs = 5_000;

describe.each(runtimes)('on %s', (runtime) => {
  const world = useWorld(runtime, { webhooks: { WEBHOOK_TIMEOUT_MS: String(timeoutMs) } });
  let edge: Edge;
  let redis: ReturnType<typeof createClient>;
  let pool: Pool;
  let accepted: AcceptedStream;
  let drain: ReturnType<typeof draining>;

  beforeAll(async () => {
    edge = await world.anotherEdge({ webhooks: { ...world.accepting, ACCEPTED_MAX_LENGTH: '40' } });
    redis = createClient({ url: world.acceptedRedisUrl });
    await redis.connect();
    const url = world.urlFor('recoup_drain');
    pool = openPool({ url, min: 0, max: 2, applicationName: 'drain', timeoutMs: 5_000 });
    accepted = openAcceptedStream({
      url: world.acceptedRedisUrl,
      stream,
      consumer: 'test',
      claimAfterMs: 60_000,
    });
    drain = draining({ db: pool, accepted, batchSize: 100, log: createLog('error', {}) });
  });
  beforeEach(async () => {
    await redis.del(stream);
    // What an isolate has learnt in the test before: the database answers again.
    await eventually(
      () => deliver(edge, aPayment()),
      ({ status }) => status === 201,
      probedWithinMs,
    );
    await redis.del(stream);
  });
  afterAll(async () => {
    await accepted.leave();
    await pool.close();
    redis.destroy();
  });

  const waiting = () => redis.xLen(stream);
  const drainAll = async () => {
    for (let i = 0; i < 20 && (await waiting()) > 0; i++) await drain.step().catch(() => {});
    expect(await waiting()).toBe(0);
  };
  const comeBack = () => Promise.all(Object.values(world.gates).map((gate) => gate.comeBack()));
  const rowsOf = async (reference: string) => {
    const [row] = await world.db.query<Record<string, string | number>>(
      `select (select string_agg(payment_id::text, ' ') from payment_service.payment_references where reference_number = $1) as id,
              (select count(*)::int from payment_service.payments where reference_number = $1) as payments,
              (select count(*)::int from outbox.messages where topic = 'payment.events'
                 and payload::jsonb -> 'payment' ->> 'reference_number' = $1) as messages`,
      [reference],
    );
    return [row?.id, row?.payments, row?.messages];
  };

  test.each([
    ['the database’s door refuses connections', () => world.gates.database.goAway()],
    ['Postgres refuses connections', () => world.gates.postgres.goAway()],
    ['the database’s door says nothing', async () => world.gates.database.fallSilent()],
    ['Postgres says nothing', async () => world.gates.postgres.fallSilent()],
  ])('%s: 202 with the id that the payment will keep', async (_, begin) => {
    for (const to of doors) {
      const body = aPayment({ metadata: { exact: 1 } });
      await begin();
      const answer = await deliver(edge, body, { to });
      expect([answer.status, answer.body], answer.text).toEqual([
        202,
        { status: 'accepted', payment_id: expect.stringMatching(/^[0-9a-f-]{36}$/) },
      ]);
      expect(await rowsOf(body.reference_number)).toEqual([null, 0, 0]);
      await comeBack();
      await drainAll();
      expect(await rowsOf(body.reference_number)).toEqual([answer.body.payment_id, 1, 1]);
    }
  });

  test('a retry during the outage, one that reaches the database first and the drained copies are one payment', async () => {
    const body = aPayment();
    await world.gates.database.goAway();
    const answers = [await deliver(edge, body), await deliver(edge, body)];
    expect(tally(answers)).toEqual({ 202: 2 });
    await comeBack();
    const later = await deliver(edge, body);
    expect([later.status, later.body.status]).toEqual([201, 'created']);
    const ids = [...answers, later].map((answer) => answer.body.payment_id);
    expect(new Set(ids).size).toBe(1);
    await drainAll();
    expect(await rowsOf(body.reference_number)).toEqual([ids[0], 1, 1]);
    expect((await deliver(edge, body)).body).toEqual({ status: 'duplicate', payment_id: ids[0] });
  });

  test('a database that is slower than the time limit: 202, and what it did after all is not done twice', async () => {
    const body = aPayment();
    let answer: Awaited<ReturnType<typeof deliver>> | undefined;
    await world.db.transaction(async (tx) => {
      await tx.query('lock table outbox.messages in exclusive mode');
      answer = await deliver(edge, body);
    });
    expect([answer?.status, answer?.body.status]).toEqual([202, 'accepted']);
    await drainAll();
    const id = answer?.body.payment_id;
    expect(await rowsOf(body.reference_number)).toEqual([id, 1, 1]);
    expect((await deliver(edge, body)).body).toEqual({ status: 'duplicate', payment_id: id });
  });

  test('an accepted payment is not known as recorded: what comes after it goes to the database', async () => {
    const body = aPayment();
    await world.gates.database.goAway();
    expect((await deliver(edge, body)).status).toBe(202);
    await comeBack();
    expect((await deliver(edge, body)).status).toBe(201);
  });

  test('a payment that is known as recorded is a duplicate, also during the outage', async () => {
    const body = aPayment();
    const first = await deliver(edge, body);
    await world.gates.database.goAway();
    const again = await deliver(edge, body);
    expect([again.status, again.body]).toEqual([
      200,
      { status: 'duplicate', payment_id: first.body.payment_id },
    ]);
    expect(await waiting()).toBe(0);
  });

  test('another version that is found while draining is kept as a conflict, and shown like any other', async () => {
    const body = aPayment();
    await world.gates.database.goAway();
    expect((await deliver(edge, body)).status).toBe(202);
    expect((await deliver(edge, { ...body, amount: '7.00' })).status).toBe(202);
    await comeBack();
    await drainAll();
    const token = await world.newKey(['payments:read', 'conflicts:decide']);
    const path = `/api/v1/payment-conflicts?reference=${body.reference_number}`;
    const { data } = (await read(edge, path, token)).body;
    expect(data).toHaveLength(1);
    expect(JSON.stringify(data)).toContain('7.00');
  });

  test('what is unsigned or invalid is refused as ever, and not kept', async () => {
    await world.gates.database.goAway();
    expectProblem(await deliver(edge, aPayment(), { unsigned: true }), 401, 'invalid_signature');
    expectProblem(await deliver(edge, aPayment({ amount: '-1' })), 422, 'invalid_request');
    expectProblem(await deliver(edge, '{'), 400, 'malformed_body');
    expect(await waiting()).toBe(0);
  });

  test.each([
    ['is away', () => world.gates.accepted.goAway()],
    ['says nothing', async () => world.gates.accepted.fallSilent()],
  ])('503 when the Redis of accepted payments %s, too', async (_, begin) => {
    await world.gates.database.goAway();
    await begin();
    const answer = await deliver(edge, aPayment());
    expectProblem(answer, 503, 'unavailable');
    expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
    await comeBack();
    expect(await waiting()).toBe(0);
  });

  test('while the database is well, the Redis of accepted payments is not needed', async () => {
    await world.gates.accepted.goAway();
    expect((await deliver(edge, aPayment())).status).toBe(201);
  });

  test('a database that refuses the statement itself is no outage', async () => {
    const body = aPayment({ amount: '4711.43' });
    const constraint =
      'payment_service.payment_references add constraint test_refuses check (amount <> 4711.43)';
    await world.db.query(`alter table ${constraint}`);
    try {
      expectProblem(await deliver(edge, body), 500, 'internal_error');
      expect(await waiting()).toBe(0);
    } finally {
      await world.db.query('alter table payment_service.payment_references drop constraint test_refuses');
    }
  });

  test('a stream that is full accepts nothing more, and loses nothing of what it has', async () => {
    const first = await redis.xAdd(stream, '*', { arrival: 'first' });
    for (let i = 1; i < 39; i++) await redis.xAdd(stream, '*', { arrival: 'other' });
    await world.gates.database.goAway();
    expect((await deliver(edge, aPayment())).status).toBe(202);
    expectProblem(await deliver(edge, aPayment()), 503, 'unavailable');
    expect(await waiting()).toBe(40);
    expect((await redis.xRange(stream, '-', '+', { COUNT: 1 }))?.[0]?.id).toBe(first);
  });

  test('in a long outage nobody waits for the database’s time limit but a request in each second', async () => {
    world.gates.database.fallSilent();
    const learning = await Promise.all(Array.from({ length: 6 }, () => deliver(edge, aPayment())));
    expect(tally(learning)).toEqual({ 202: 6 });
    const knowing = await Promise.all(Array.from({ length: 20 }, () => deliver(edge, aPayment())));
    expect(tally(knowing)).toEqual({ 202: 20 });
    const ids = knowing.map(({ headers }) => headers.get('x-request-id') as string);
    const log = await eventually(
      async () => edge.log(),
      (text) => ids.every((id) => text.includes(id)),
      5_000,
    );
    const unasked = log.split('\n').filter((line) => line.includes('the database has been away for a while'));
    expect(ids.filter((id) => unasked.some((line) => line.includes(id))).length).toBeGreaterThan(10);
    await comeBack();
    const recovered = await eventually(
      () => deliver(edge, aPayment()),
      ({ status }) => status === 201,
      probedWithinMs,
    );
    expect(recovered.status).toBe(201);
    expect((await deliver(edge, aPayment())).status).toBe(201);
  });

  test('health tells of the drain and its stream, and that nothing is accepted where it is switched off', async () => {
    const checks = async (of: Edge) => (await ask(`${of.urls.api}/health`)).body.checks;
    expect(await checks(world.edge)).toMatchObject({
      drain: 'off',
      accepted_store: 'off',
      accepted_backlog: null,
      accepted_buried: null,
    });
    expect(await checks(edge)).toMatchObject({
      drain: 'error',
      accepted_store: 'error',
      accepted_backlog: null,
    });
    const beat = (instance: string, detail: object) =>
      world.db.query(
        `insert into operations.heartbeats (process, instance, healthy, detail) values ('drain', $1, true, $2)`,
        [instance, JSON.stringify(detail)],
      );
    await beat('one', { store: 'durable', backlog: 7, buried: 2 });
    expect(await checks(edge)).toMatchObject({
      drain: 'ok',
      accepted_store: 'ok',
      accepted_backlog: 7,
      accepted_buried: 2,
    });
    await world.db.query(`update operations.heartbeats set beat_at = now() - interval '5 s'`);
    await beat('two', { store: 'unknown', backlog: 3, buried: 2 });
    expect(await checks(edge)).toMatchObject({ accepted_store: 'unknown', accepted_backlog: 3 });
    await beat('three', { store: 'not_durable', backlog: 3, buried: 2 });
    expect(await checks(edge)).toMatchObject({ drain: 'ok', accepted_store: 'error' });
    await world.db.query('truncate operations.heartbeats');
  });

  test('what was accepted is counted', async () => {
    await world.gates.database.goAway();
    expect((await deliver(edge, aPayment(), { channel: 'hub' })).status).toBe(202);
    await comeBack();
    const scraper = await world.newKey(['metrics:read']);
    const counted = 'recoup_webhook_payments_total{channel="hub",outcome="accepted"} 1';
    const { text } = await eventually(
      () => read(edge, '/metrics', scraper),
      (answer) => answer.text.includes(counted),
      5_000,
    );
    expect(text).toContain(counted);
    await drainAll();
  });
});
