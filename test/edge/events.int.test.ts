// Servicing events over HTTP: signed like webhooks, each judged on its own, and in the inbox before the answer.

import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { readEnvelope } from '../../shared/stream/envelope.ts';
import {
  type Answer,
  aPayment,
  bytesOf,
  type Delivery,
  deliver,
  deliveryHeaders,
  doors,
  eventually,
  expectProblem,
  read,
  tally,
} from './asking.ts';
import { anySecret, channel } from './channels.ts';
import { runtimesAndContainer } from './runtimes.ts';
import { nowSeconds } from './sign.ts';
import { timeZone, useWorld } from './world.ts';

const limitBytes = 1024 * 1024;
const mostEvents = 500;

/** An event's body under a new id. */
const anEvent = (changes: Record<string, unknown> = {}) => ({
  event_type: 'customer.changed.v1',
  event_id: randomUUID(),
  user_id: 'CIF-77',
  payload: { customer_id: 'CIF-77', first_name: 'Wilhelmina', changed_at: '2026-03-10T09:30:00Z' },
  ...changes,
});
const statusesOf = ({ body }: Answer) => body.results.map(({ status }: { status: string }) => status);

describe.each(runtimesAndContainer)('on %s', (runtime) => {
  const world = useWorld(runtime);
  let scraper: string;
  beforeAll(async () => {
    scraper = await world.newKey(['metrics:read']);
  });

  const send = (body: unknown, delivery: Delivery = {}) =>
    deliver(world.edge, body, { events: true, ...delivery });
  const waiting = (id: string) =>
    world.db.query<{ source: string; fields: Record<string, string>; payload_hash: string }>(
      'select source, fields, payload_hash from servicing.inbox where event_id = $1',
      [id],
    );
  const inboxLength = async () =>
    (await world.db.query<{ n: number }>('select count(*)::int as n from servicing.inbox'))[0]?.n;

  describe('an event', () => {
    test.each(doors)('is in the inbox when it is answered (%s)', async (to) => {
      const event = anEvent();
      const answer = await send(event, { to });
      expect(answer.status, answer.text).toBe(202);
      expect(answer.body).toEqual({ results: [{ status: 'accepted', event_id: event.event_id }] });
      const fields = { ...event, payload: JSON.stringify(event.payload) };
      const envelope = readEnvelope(fields, timeZone);
      expect(await waiting(event.event_id)).toEqual([
        { source: 'http:servicing', fields, payload_hash: envelope.ok && envelope.value.payloadHash },
      ]);
    });

    test('comes by its channel’s own scheme, and is told apart by its source', async () => {
      const event = anEvent();
      expect((await send(event, { channel: 'hub-events' })).status).toBe(202);
      expect(await waiting(event.event_id)).toMatchObject([{ source: 'http:hub-events' }]);
    });

    test('is the same event in either spelling, its payload an object or JSON text', async () => {
      const event = anEvent();
      const payload = JSON.stringify(event.payload);
      const short = { typ: event.event_type, id: event.event_id, usr: event.user_id, cls: 'msg' };
      expect(statusesOf(await send(event))).toEqual(['accepted']);
      for (const other of [
        { ...short, payload },
        { ...short, dat: payload },
        { ...short, dat: event.payload },
      ])
        expect(statusesOf(await send(other)), JSON.stringify(other)).toEqual(['duplicate']);
    });

    test('without an id has one that follows from what it says', async () => {
      const conversation = randomUUID();
      const event = {
        conv: conversation,
        seq: 1,
        cause: 'c',
        typ: 'user_input',
        payload: { content: 'Hello' },
      };
      const first = await send(event);
      const envelope = readEnvelope({ ...event, seq: '1', payload: '{"content":"Hello"}' }, timeZone);
      expect(first.body.results).toEqual([
        { status: 'accepted', event_id: envelope.ok && envelope.value.id },
      ]);
      expect(statusesOf(await send(event))).toEqual(['duplicate']);
      expect(statusesOf(await send({ ...event, payload: { content: 'Hello?' } }))).toEqual(['accepted']);
    });

    test('keeps the digits of every number, and of those beside its payload', async () => {
      const id = randomUUID();
      const numbers = '{"a":9007199254740993,"b":10.000000000000000001,"c":0.10,"d":[1.0e2]}';
      const text = `{"id":"${id}","typ":"x","seq":12345678901234567890,"flag":true,"none":null,"payload":${numbers}}`;
      expect((await send(text)).status).toBe(202);
      const [row] = await waiting(id);
      expect(row?.fields).toEqual({
        id,
        typ: 'x',
        seq: '12345678901234567890',
        flag: 'true',
        payload: numbers,
      });
    });
  });

  describe('what is known already', () => {
    test('a second delivery is a duplicate, other content under the id a conflict that is not kept', async () => {
      const event = anEvent();
      await send(event);
      const kept = await waiting(event.event_id);
      const again = await send(event);
      expect(again.status).toBe(202);
      expect(statusesOf(again)).toEqual(['duplicate']);

      const other = { ...event, payload: { ...event.payload, first_name: 'Else' } };
      const { errors } = expectProblem(await send(other), 409, 'event_conflict');
      expect(errors).toEqual([
        { field: '0', code: 'conflict', message: expect.stringMatching(/other content/) },
      ]);
      expect(await waiting(event.event_id)).toEqual(kept);
    });

    test('a channel whose conflicts are to be answered with 200 is answered so', async () => {
      const event = anEvent();
      await send(event);
      const answer = await send({ ...event, event_type: 'customer.updated.v1' }, { channel: 'hub-events' });
      expect(answer.status).toBe(200);
      expect(answer.body.results).toMatchObject([{ status: 'conflict', event_id: event.event_id }]);
    });

    test('what has been folded is known too', async () => {
      const event = anEvent();
      await send(event);
      await world.db.query(
        `with folded as (delete from servicing.inbox where event_id = $1 returning event_id, payload_hash)
         insert into servicing.event_ids (event_id, payload_hash) select * from folded`,
        [event.event_id],
      );
      expect(statusesOf(await send(event))).toEqual(['duplicate']);
      expectProblem(await send({ ...event, payload: {} }), 409, 'event_conflict');
      expect(await waiting(event.event_id)).toEqual([]);
    });

    test('of twenty at once one is accepted and the others are its duplicates', async () => {
      const event = anEvent();
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, i) => send(event, { to: doors[i % 2]! })),
      );
      expect(tally(answers)).toEqual({ 202: 20 });
      const statuses = answers.flatMap(statusesOf);
      expect(statuses.toSorted()).toEqual(['accepted', ...Array(19).fill('duplicate')]);
      expect(await waiting(event.event_id)).toHaveLength(1);
    });

    test('the same batch in any order at once is accepted once, event by event', async () => {
      const events = Array.from({ length: 60 }, () => anEvent());
      const orders = Array.from({ length: 8 }, (_, i) =>
        i % 2 ? events.toReversed() : [...events.slice(i * 7), ...events.slice(0, i * 7)],
      );
      const answers = await Promise.all(orders.map((order) => send(order)));
      expect(tally(answers)).toEqual({ 202: 8 });
      const statuses = answers.flatMap(statusesOf);
      expect(statuses.filter((status) => status === 'accepted')).toHaveLength(60);
      expect(statuses.filter((status) => status === 'duplicate')).toHaveLength(7 * 60);
    });
  });

  describe('a body of several', () => {
    test('answers each in its order, and keeps the good ones whatever the others are', async () => {
      const known = anEvent();
      await send(known);
      const twice = anEvent();
      const good = anEvent();
      const answer = await send([
        { payload: {} },
        twice,
        known,
        'text',
        { ...known, payload: {} },
        twice,
        { ...twice, payload: {} },
        anEvent({ payload: [] }),
        anEvent({ recipients: ['a'] }),
        good,
      ]);
      expect(answer.status).toBe(202);
      expect(answer.body.results).toEqual([
        { status: 'invalid', reason: 'it names no type' },
        { status: 'accepted', event_id: twice.event_id },
        { status: 'duplicate', event_id: known.event_id },
        { status: 'invalid', reason: 'it is not an object' },
        { status: 'conflict', event_id: known.event_id, reason: expect.any(String) },
        { status: 'duplicate', event_id: twice.event_id },
        { status: 'conflict', event_id: twice.event_id, reason: expect.any(String) },
        { status: 'invalid', reason: 'its payload is not a JSON object' },
        { status: 'invalid', reason: expect.stringMatching(/beside its payload/) },
        { status: 'accepted', event_id: good.event_id },
      ]);
      for (const { event_id } of [twice, good]) expect(await waiting(event_id)).toHaveLength(1);
    });

    const unkeepable: Record<string, string> = {
      'U+0000': '"a\\u0000b"',
      'half a character': '"\\ud83d"',
      'a number beyond every double': '1e999',
      'too many decimals': `0.${'1'.repeat(1001)}`,
      'brackets beyond the limit': '['.repeat(200) + ']'.repeat(200),
    };
    test.each(Object.entries(unkeepable))(
      'one that has %s does not take the others along',
      async (_, value) => {
        const good = anEvent();
        const bad = `{"typ":"x","id":"${randomUUID()}","payload":{"a":${value}}}`;
        const answer = await send(`[${bad},${JSON.stringify(good)},{"typ":"x","id":${value}}]`);
        expect(statusesOf(answer).slice(0, 2), answer.text).toEqual(['invalid', 'accepted']);
        expect(await waiting(good.event_id)).toHaveLength(1);
      },
    );

    test('of which nothing can be kept is refused, and every event is named', async () => {
      const known = anEvent();
      await send(known);
      const before = await inboxLength();
      const conflict = { ...known, payload: {} };
      const mixed = expectProblem(await send([conflict, {}]), 422, 'invalid_request');
      expect(mixed.errors).toMatchObject([
        { field: '0', code: 'conflict' },
        { field: '1', code: 'invalid', message: 'it names no type' },
      ]);
      expect(expectProblem(await send({}), 422, 'invalid_request').errors).toHaveLength(1);
      expect(expectProblem(await send([conflict, conflict]), 409, 'event_conflict').errors).toHaveLength(2);
      const late = anEvent({ timestamp: 'yesterday', payload: {} });
      expect(expectProblem(await send([late]), 422, 'invalid_request').errors).toMatchObject([
        { field: '0', code: 'invalid', message: 'its timestamp is not a time' },
      ]);
      expect(await inboxLength()).toBe(before);
    });
  });

  describe('limits', () => {
    test('500 events are read, none or one more are not', async () => {
      const events = Array.from({ length: mostEvents }, () => anEvent());
      const answer = await send(events);
      expect(answer.status).toBe(202);
      expect(statusesOf(answer)).toEqual(Array(mostEvents).fill('accepted'));
      for (const wrong of [[], [...events, anEvent()]])
        expect(expectProblem(await send(wrong), 422, 'invalid_request').errors).toMatchObject([
          { field: 'body' },
        ]);
    });

    test.each(doors)('a body of 1 MiB is read, one byte more is not (%s)', async (to) => {
      const filled = (bytes: number) => {
        const events = Array.from({ length: 8 }, () =>
          anEvent({ payload: { filler: 'x'.repeat(limitBytes / 8 - 200) } }),
        );
        return JSON.stringify(events).padEnd(bytes);
      };
      expect((await send(filled(limitBytes), { to })).status).toBe(202);
      expectProblem(await send(filled(limitBytes + 1), { to }), 413, 'body_too_large');
    });

    test.each<[string, string | Buffer]>([
      ['nothing', ''],
      ['half of it', '[{"typ":"x"'],
      ['bytes that are no UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
      ['brackets without end', '['.repeat(limitBytes / 2)],
    ])('a body with %s is malformed', async (_, body) => {
      expectProblem(await send(body), 400, 'malformed_body');
    });

    test.each(['7', '"text"', 'null', 'true'])('%s is no event', async (text) => {
      expectProblem(await send(text), 422, 'invalid_request');
    });

    test('only plain JSON is read', async () => {
      for (const headers of [{ 'content-type': 'text/plain' }, { 'content-encoding': 'gzip' }])
        expectProblem(await send(anEvent(), { headers: headers as never }), 415, 'unsupported_media_type');
    });
  });

  describe('who may send', () => {
    test.each(['servicing', 'hub-events'] as const)(
      'nothing that is not signed is looked at (%s)',
      async (name) => {
        const before = await inboxLength();
        const body = anEvent();
        const good = deliveryHeaders(body, { channel: name });
        const other = channel(name).configuration.scheme === 'standard' ? anySecret : 'some-other-secret';
        const attempts: Delivery[] = [
          { unsigned: true },
          { secret: other },
          { at: nowSeconds() - 310 },
          { at: nowSeconds() + 310 },
        ];
        for (const to of doors) {
          for (const attempt of attempts)
            expectProblem(await send(body, { to, channel: name, ...attempt }), 401, 'invalid_signature');
          const changed = bytesOf(body).toString().replace('Wilhelmina', 'Wilhelm');
          const answer = await send(changed, { to, channel: name, unsigned: true, headers: good });
          expectProblem(answer, 401, 'invalid_signature');
        }
        expectProblem(await send('[', { channel: name, unsigned: true }), 401, 'invalid_signature');
        expect(await inboxLength()).toBe(before);
      },
    );

    test('while a secret is rotated both are good, and a channel without one accepts nothing', async () => {
      const { secret, previous } = channel('hub-events');
      for (const known of [secret!, previous!])
        expect((await send(anEvent(), { channel: 'hub-events', secret: known })).status).toBe(202);
      const body = await send(anEvent(), { channel: 'no-secret-events', secret: anySecret });
      expect(expectProblem(body, 401, 'invalid_signature').detail).toMatch(/until it has a secret/);
    });

    test('an address outside the channel’s list is refused', async () => {
      expectProblem(await send(anEvent(), { channel: 'fenced-events' }), 403, 'address_not_allowed');
    });

    test.each(doors)(
      'a channel of payments brings no events, and one of events no payments (%s)',
      async (to) => {
        for (const name of ['standard', 'hub', 'stripe'] as const)
          expectProblem(await send(anEvent(), { to, channel: name }), 404, 'unknown_channel');
        for (const name of ['servicing', 'hub-events'] as const) {
          const payment = await send(aPayment(), { to, channel: name, events: false });
          expectProblem(payment, 404, 'unknown_channel');
        }
      },
    );

    test('without a name it is the channel of the settings', async () => {
      const edge = await world.anotherEdge({ webhooks: { EVENTS_CHANNEL: 'hub-events' } });
      const event = anEvent();
      const headers = deliveryHeaders(event, { channel: 'hub-events' });
      expect((await deliver(edge, event, { events: true, unsigned: true, headers })).status).toBe(202);
      expect(await waiting(event.event_id)).toMatchObject([{ source: 'http:hub-events' }]);
      await edge.stop();
    });

    test('those who send too much are told when they may again', async () => {
      const limit = 5;
      const strict = await world.anotherEdge({ webhooks: { WEBHOOK_RATE_LIMIT_PER_MINUTE: String(limit) } });
      const answers: Answer[] = [];
      // A new minute may begin in between.
      for (let i = 0; i < limit * 2 + 2 && answers.at(-1)?.status !== 429; i++)
        answers.push(await deliver(strict, {}, { events: true, unsigned: true }));
      expectProblem(answers.at(-1)!, 429, 'rate_limited');
      expect(answers.at(-1)!.headers.get('retry-after')).toMatch(/^([1-9]|[1-5]\d|60)$/);
      await strict.stop();
    });
  });

  test('while the database is away nothing is accepted, also where payments are', async () => {
    const edge = await world.anotherEdge({ webhooks: world.accepting });
    const event = anEvent();
    await world.gates.postgres.goAway();
    const refusal = await deliver(edge, event, { events: true });
    expectProblem(refusal, 503, 'unavailable');
    expect(Number(refusal.headers.get('retry-after'))).toBeGreaterThan(0);
    await world.gates.postgres.comeBack();
    const answer = await eventually(
      () => deliver(edge, event, { events: true }),
      ({ status }) => status !== 503,
      10_000,
    );
    expect(statusesOf(answer)).toEqual(['accepted']);
    await edge.stop();
  });

  test('what was judged is counted by outcome, and nothing personal is logged', async () => {
    const before = world.edge.log().length;
    const event = anEvent({ event_id: 'id-of-Wilhelmina', agt: 'agent-Wilhelmina' });
    await send([event, event, { ...event, payload: {} }, { typ: 'x', timestamp: 'Wilhelmina' }], {
      channel: 'hub-events',
    });
    const counted = ['accepted', 'conflict', 'duplicate', 'invalid'].map(
      (outcome) => `recoup_events_received_total{channel="hub-events",outcome="${outcome}"}`,
    );
    const text = await eventually(
      async () => (await read(world.edge, '/metrics', scraper)).text,
      (found) => counted.every((line) => found.includes(line)),
      5_000,
    );
    for (const line of counted) expect(text).toContain(line);
    const log = await eventually(
      async () => world.edge.log().slice(before),
      (found) => /"event":"events"/.test(found),
      5_000,
    );
    expect(log).toMatch(/"event":"events".*"channel":"hub-events".*"invalid":1/);
    expect(log).not.toMatch(/Wilhelmina/i);
    expect(text).not.toMatch(/Wilhelmina/i);
  });
});
