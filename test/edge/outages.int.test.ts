// Parts go away, fall silent and come back. What was answered with success is there, what was not can be sent again,
// and nothing is ever half there.

import { beforeAll, describe, expect, test } from 'vitest';
import {
  type Answer,
  aPayment,
  type Delivery,
  deliver,
  doors,
  eventually,
  expectProblem,
  read,
  tally,
  write,
} from './asking.ts';
import { type Edge, unlikeRuntimes } from './runtimes.ts';
import { useWorld } from './world.ts';

const timeoutMs = 1_300;
/** What a loaded machine may add. */
const slackMs = 1_500;

describe.each(unlikeRuntimes)('on %s', (runtime) => {
  const world = useWorld(runtime, { webhooks: { WEBHOOK_TIMEOUT_MS: String(timeoutMs) } });
  let token: string;
  beforeAll(async () => {
    token = await world.newKey(['payments:read', 'conflicts:decide']);
  });

  const send = (body: unknown, delivery: Delivery = {}) => deliver(world.edge, body, delivery);
  const sendToBoth = (make: () => ReturnType<typeof aPayment>) => {
    const bodies = doors.map((to) => ({ to, body: make() }));
    const all = () => Promise.all(bodies.map(({ to, body }) => send(body, { to })));
    return { references: bodies.map(({ body }) => body.reference_number), all };
  };
  const rowsOf = async (references: string[]) => {
    const [row] = await world.db.query<Record<string, number>>(
      `select (select count(*)::int from payment_service.payment_references where reference_number = any ($1)) as refs,
              (select count(*)::int from payment_service.payments where reference_number = any ($1)) as payments,
              (select count(*)::int from outbox.messages
               where payload::jsonb -> 'payment' ->> 'reference_number' = any ($1)) as messages`,
      [references],
    );
    return [row?.refs, row?.payments, row?.messages];
  };

  const expectAway = (answer: Answer) => {
    expectProblem(answer, 503, 'unavailable');
    expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
    expect(answer.text).not.toMatch(/127\.0\.0\.1|postgres|password|ECONN/i);
    expect(answer.ms).toBeLessThan(timeoutMs + slackMs);
  };

  const outages = [
    ['the database’s door refuses connections', () => world.gates.database.goAway()],
    ['Postgres refuses connections', () => world.gates.postgres.goAway()],
    ['the database’s door says nothing', async () => world.gates.database.fallSilent()],
    ['Postgres says nothing', async () => world.gates.postgres.fallSilent()],
  ] as const;

  test.each(outages)('%s: 503 in time, nothing is written, and it works again after', async (_, begin) => {
    const deliveries = sendToBoth(aPayment);
    await begin();
    const away = await deliveries.all();
    away.forEach(expectAway);
    expect(await rowsOf(deliveries.references)).toEqual([0, 0, 0]);

    await Promise.all(Object.values(world.gates).map((gate) => gate.comeBack()));
    expect(tally(await deliveries.all())).toEqual({ 201: 2 });
    expect(tally(await deliveries.all())).toEqual({ 200: 2 });
    expect(await rowsOf(deliveries.references)).toEqual([2, 2, 2]);
  });

  /** Holds back the outbox, so that a recording is under way and waits, until `work` has had its effect. */
  async function whileRecordingWaits(
    start: () => Promise<Answer>,
    work: () => Promise<void>,
  ): Promise<Answer> {
    let answer: Promise<Answer> | undefined;
    await world.db.transaction(async (tx) => {
      await tx.query('lock table outbox.messages in exclusive mode');
      answer = start();
      const waiting = () =>
        world.db.query(
          `select pid from pg_stat_activity where wait_event_type = 'Lock' and usename = 'recoup_webhooks'
             and datname = current_database()`,
        );
      expect(await eventually(waiting, (rows) => rows.length > 0, 1_000)).toHaveLength(1);
      await work();
    });
    return answer as Promise<Answer>;
  }

  test('a payment that was recorded while its answer got lost is a duplicate when it comes again', async () => {
    const body = aPayment();
    const lost = await whileRecordingWaits(
      () => send(body),
      async () => world.gates.database.fallSilent(),
    );
    expectAway(lost);
    expect(await rowsOf([body.reference_number])).toEqual([1, 1, 1]);
    await world.gates.database.comeBack();
    const again = await send(body);
    expect([again.status, again.body.status]).toEqual([200, 'duplicate']);
    expect(await rowsOf([body.reference_number])).toEqual([1, 1, 1]);
  });

  test('a connection that Postgres ends in the middle of recording leaves nothing', async () => {
    const body = aPayment();
    const answer = await whileRecordingWaits(
      () => send(body),
      async () => {
        await world.db.query(
          `select pg_terminate_backend(pid) from pg_stat_activity
           where wait_event_type = 'Lock' and usename = 'recoup_webhooks' and datname = current_database()`,
        );
      },
    );
    expectAway(answer);
    expect(await rowsOf([body.reference_number])).toEqual([0, 0, 0]);
    expect((await send(body)).status).toBe(201);
  });

  test('a database that is slow but not too slow is waited for', async () => {
    const body = aPayment();
    const answer = await whileRecordingWaits(
      () => send(body),
      () => new Promise((resolve) => setTimeout(resolve, 500)),
    );
    expect(answer.status, answer.text).toBe(201);
    expect(await rowsOf([body.reference_number])).toEqual([1, 1, 1]);
  });

  test('a payment that an isolate remembers is known without the database and without Redis', async () => {
    const deliveries = sendToBoth(aPayment);
    const first = await deliveries.all();
    expect(tally(first)).toEqual({ 201: 2 });
    const ids = first.map((answer) => answer.body.payment_id);
    const known = async () => {
      const again = await deliveries.all();
      expect(again.map((answer) => answer.body)).toEqual(
        ids.map((payment_id) => ({ status: 'duplicate', payment_id })),
      );
      expect(tally(again)).toEqual({ 200: 2 });
      for (const { ms } of again) expect(ms).toBeLessThan(1_000);
    };
    await Promise.all([world.gates.database.goAway(), world.gates.redis.goAway()]);
    await known();
    await Promise.all([world.gates.database.comeBack(), world.gates.redis.comeBack()]);
    world.gates.database.fallSilent();
    world.gates.redis.fallSilent();
    await known();
  });

  test('what memory holds with other facts is for the database to judge', async () => {
    const body = aPayment();
    await send(body);
    await world.gates.database.goAway();
    expectAway(await send({ ...body, amount: '100.51' }));
    await world.gates.database.comeBack();
    expectProblem(await send({ ...body, amount: '100.51' }), 409, 'payment_conflict');
  });

  describe('known to Redis alone', () => {
    let fresh: Edge;
    beforeAll(async () => {
      fresh = await world.anotherEdge({
        api: { ENABLE_METRICS: 'false' },
        webhooks: { ENABLE_METRICS: 'false' },
      });
    });

    test.each([
      ['is away', () => world.gates.database.goAway()],
      ['says nothing', async () => world.gates.database.fallSilent()],
    ])('a payment of another isolate is a duplicate while the database %s', async (_, begin) => {
      const body = aPayment();
      const first = await send(body);
      expect(first.status).toBe(201);
      await begin();
      // The first isolate tells Redis a moment after its answer.
      const again = await eventually(
        () => deliver(fresh, body),
        (answer) => answer.status === 200,
        6_000,
      );
      expect([again.status, again.body]).toEqual([
        200,
        { status: 'duplicate', payment_id: first.body.payment_id },
      ]);
      expect(again.ms).toBeLessThan(1_000);
      const unknown = [{ ...body, amount: '1.00' }, aPayment()].map((other) => deliver(fresh, other));
      (await Promise.all(unknown)).forEach(expectAway);
    });

    test('an isolate that counts nothing tells Redis all the same', async () => {
      const body = aPayment();
      expect((await deliver(fresh, body)).status).toBe(201);
      await world.gates.database.goAway();
      const again = await eventually(
        () => send(body),
        (answer) => answer.status === 200,
        3_000,
      );
      expect(again.status).toBe(200);
    });
  });

  test.each([
    ['is away', () => world.gates.redis.goAway()],
    ['says nothing', async () => world.gates.redis.fallSilent()],
  ])('payments are taken while Redis %s, and not much slower', async (_, begin) => {
    // An isolate that has not learnt yet that Redis is away, and has no allowance left from it.
    const fresh = await world.anotherEdge({ webhooks: { WEBHOOK_TIMEOUT_MS: '8000' } });
    await begin();
    for (const to of doors) {
      const body = aPayment();
      const answer = await deliver(fresh, body, { to });
      expect(answer.status, answer.text).toBe(201);
      expect(answer.ms).toBeLessThan(1_500);
      expect((await deliver(fresh, body, { to })).status).toBe(200);
    }
    const burst = await Promise.all(Array.from({ length: 20 }, () => deliver(fresh, aPayment())));
    expect(tally(burst)).toEqual({ 201: 20 });
    await world.gates.redis.comeBack();
    expect((await deliver(fresh, aPayment())).status).toBe(201);
    await fresh.stop();
  });

  test('without the database and without Redis a new payment is refused, and taken when they are back', async () => {
    const deliveries = sendToBoth(aPayment);
    await Promise.all([world.gates.database.goAway(), world.gates.redis.goAway()]);
    (await deliveries.all()).forEach(expectAway);
    await Promise.all([world.gates.database.comeBack(), world.gates.redis.comeBack()]);
    world.gates.database.fallSilent();
    world.gates.redis.fallSilent();
    (await deliveries.all()).forEach(expectAway);
    await Promise.all([world.gates.database.comeBack(), world.gates.redis.comeBack()]);
    expect(tally(await deliveries.all())).toEqual({ 201: 2 });
    expect(await rowsOf(deliveries.references)).toEqual([2, 2, 2]);
  });

  test('what needs no database is answered without it', async () => {
    await Promise.all([world.gates.database.goAway(), world.gates.redis.goAway()]);
    expectProblem(await send(aPayment(), { unsigned: true }), 401, 'invalid_signature');
    expectProblem(await send({}), 422, 'invalid_request');
    expectProblem(await read(world.edge, '/nowhere'), 404, 'not_found');
    expectProblem(await read(world.edge, '/api/v1/payments/x'), 401, 'unauthenticated');
    expectProblem(await read(world.edge, '/api/v1/auth/me', 'garbage'), 401, 'unauthenticated');
  });

  test('staff are told that the database is away, and decide when it is back', async () => {
    const body = aPayment();
    await send(body);
    const { conflict_id: id } = (await send({ ...body, amount: '5.00' })).body;
    await world.gates.database.goAway();
    const accept = () => write(world.edge, `/api/v1/payment-conflicts/${id}/accept`, token, {});
    expectAway(await accept());
    expectAway(await read(world.edge, `/api/v1/payments/${body.reference_number}`, token));
    expectAway(await read(world.edge, '/api/v1/payments/loan/LN-1001', token));
    expectAway(await read(world.edge, '/api/v1/payment-conflicts', token));
    expectAway(await read(world.edge, '/api/v1/auth/me', token));
    await world.gates.database.comeBack();
    expect((await accept()).status).toBe(200);
    expect((await accept()).status).toBe(200);
    expect(await rowsOf([body.reference_number])).toEqual([2, 2, 2]);
  });

  test('a database that refuses the statement itself is our fault, and nothing is told of it', async () => {
    const body = aPayment({ amount: '4711.42' });
    await world.db.query(
      'alter table payment_service.payment_references add constraint test_refuses check (amount <> 4711.42)',
    );
    try {
      const answer = await send(body);
      const problem = expectProblem(answer, 500, 'internal_error');
      expect(Object.keys(problem).sort()).toEqual(['code', 'requestId', 'status', 'title', 'type']);
      expect(await rowsOf([body.reference_number])).toEqual([0, 0, 0]);
    } finally {
      await world.db.query('alter table payment_service.payment_references drop constraint test_refuses');
    }
    expect((await send(body)).status).toBe(201);
  });
});
