// What changes while staff look, as a browser receives it.

import { beforeAll, describe, expect, test } from 'vitest';
import { recordPayments } from '../../shared/payments/record-payments.ts';
import { newPayment } from '../../shared/payments/testing.ts';
import { foldInto } from '../../shared/read/testing.ts';
import { event } from '../../shared/servicing/testing.ts';
import { revokeApiKey } from '../../shared/staff/revoke-key.ts';
import { aPayment, ask, deliver, eventually, expectProblem, read } from './asking.ts';
import { oneRuntime } from './runtimes.ts';
import { type TestPerson, useWorld } from './world.ts';

interface Message {
  id?: string;
  event?: string;
  // biome-ignore lint/suspicious/noExplicitAny: whatever JSON it is; the assertions tell.
  data?: any;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function parse(block: string): Message {
  const message: Message = {};
  for (const line of block.split('\n')) {
    const [, name, value = ''] = /^(id|event|data): (.*)$/.exec(line) ?? [];
    if (name === 'data') message.data = JSON.parse(value);
    else if (name === 'id' || name === 'event') message[name] = value;
  }
  return message;
}

async function open(url: string, headers: Record<string, string>) {
  const aborting = new AbortController();
  const response = await fetch(url, { headers, signal: aborting.signal });
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  expect(response.headers.get('cache-control')).toContain('no-store');
  const messages: Message[] = [];
  const state = { ended: false, lastId: undefined as string | undefined, text: '' };
  const reading = (async () => {
    const decoder = new TextDecoder();
    let rest = '';
    for await (const bytes of response.body as unknown as AsyncIterable<Uint8Array>) {
      const text = decoder.decode(bytes, { stream: true });
      state.text += text;
      rest += text;
      const blocks = rest.split('\n\n');
      rest = blocks.pop() ?? '';
      for (const message of blocks.map(parse)) {
        if (message.id !== undefined) state.lastId = message.id;
        if (message.event !== undefined) messages.push(message);
      }
    }
  })()
    .catch(() => {})
    .finally(() => {
      state.ended = true;
    });
  return {
    messages,
    state,
    of: (name: string) => messages.filter((message) => message.event === name),
    async until(holds: () => boolean, withinMs = 6_000) {
      const deadline = performance.now() + withinMs;
      while (!holds() && performance.now() < deadline) await pause(20);
      expect(holds(), JSON.stringify(messages)).toBe(true);
    },
    async close() {
      aborting.abort();
      await reading;
    },
  };
}
type Open = Awaited<ReturnType<typeof open>>;

const references = (stream: Open): string[] =>
  stream.of('changes').flatMap(({ data }) => data.payments?.ids ?? []);

describe.each(oneRuntime)('on %s', (runtime) => {
  const world = useWorld(runtime);
  let supervisor: TestPerson;
  beforeAll(async () => {
    supervisor = await world.newPerson(['supervisor']);
  });
  const url = (query = '') => `${world.edge.urls.api}/api/v1/stream${query}`;
  const bearer = (token: string) => ({ authorization: `Bearer ${token}`, accept: 'text/event-stream' });
  const watch = (token: string, lastEventId?: string, query?: string) =>
    open(url(query), { ...bearer(token), ...(lastEventId ? { 'last-event-id': lastEventId } : {}) });

  test('each is told what changes of the kinds they may read, and never about whom', async () => {
    const own = await watch(supervisor.accessToken);
    const program = await watch(await world.newKey(['payments:read']));
    const other = await watch(await world.newKey(['jobs:read']));
    await Promise.all([own, program, other].map((one) => one.until(() => one.of('start').length === 1)));
    expect(own.messages.find(({ event }) => event === 'start')?.data).toEqual({
      kinds: ['payments', 'accounts', 'approvals'],
    });
    expect(own.state.text).toMatch(/^retry: \d+\n\n/);

    const payment = aPayment({ loan_account_number: 'LN-STREAM' });
    await deliver(world.edge, payment);
    await foldInto(world.db, [
      event('customer.created.v1', { customer_id: 'C-STREAM', cif: 'CIF-77', first_name: 'Ana' }),
      event('account.created.v1', {
        account_id: 'A-STREAM',
        account_number: 'LN-STREAM',
        customer_id: 'C-STREAM',
      }),
    ]);
    await own.until(() => own.state.text.includes('A-STREAM'));
    await program.until(() => references(program).length > 0);
    expect(references(own)).toEqual([payment.reference_number]);
    expect(references(program)).toEqual([payment.reference_number]);
    expect(own.state.text).not.toMatch(/Ana|C-STREAM|CIF-77/);
    expect(program.state.text).not.toContain('A-STREAM');
    expect(other.of('changes')).toEqual([]);
    await other.until(() => other.of('health').length > 0);
    expect(other.of('health')[0]?.data).toEqual({ status: expect.any(String), failing: expect.any(Array) });
    expect(other.of('health')[0]?.id).toBeUndefined();
    await Promise.all([own.close(), program.close(), other.close()]);
  });

  test('who comes back goes on where they were, whatever was committed late or out of order meanwhile', async () => {
    const first = await watch(supervisor.accessToken);
    await first.until(() => first.of('start').length === 1);
    const wanted: string[] = [];
    const writer = async (n: number) => {
      for (let i = 0; i < 20; i++) {
        const payment = newPayment();
        await world.db.transaction(async (tx) => {
          await recordPayments(tx, [payment]);
          await pause((n * 137 + i * 53) % 300);
        });
        wanted.push(payment.referenceNumber);
      }
    };
    const writing = Promise.all([1, 2, 3].map(writer));
    const got: string[] = [];
    await first.until(() => references(first).length > 0);
    await first.close();
    got.push(...references(first));
    let { lastId } = first.state;
    for (let round = 0; round < 2; round++) {
      const stream = await watch(supervisor.accessToken, lastId, '?seconds=1');
      await stream.until(() => stream.state.ended);
      expect(stream.of('start')).toEqual([]);
      got.push(...references(stream));
      // One that has told nothing leaves its reader where they were.
      lastId = stream.state.lastId ?? lastId;
    }
    await writing;
    const last = await watch(supervisor.accessToken, lastId);
    await last.until(() => got.length + references(last).length >= wanted.length);
    got.push(...references(last));
    await last.close();
    expect(got.toSorted()).toEqual(wanted.toSorted());
    expect(new Set(got).size).toBe(got.length);
  });

  test('while the database is away nobody is told anything, and what was missed comes after it', async () => {
    const stream = await watch(supervisor.accessToken);
    await stream.until(() => stream.of('start').length === 1);
    await world.gates.database.goAway();
    const payment = newPayment();
    await recordPayments(world.db, [payment]);
    const told = () => references(stream).filter((reference) => reference === payment.referenceNumber);
    await pause(1_500);
    expect(told()).toEqual([]);
    await world.gates.database.comeBack();
    await stream.until(() => told().length > 0, 10_000);
    await pause(1_500);
    expect(told()).toHaveLength(1);
    expect(stream.of('start')).toHaveLength(1);
    await stream.close();
  });

  test('who comes with an id that says nothing reads anew', async () => {
    for (const id of ['x', '900000000:900000000:', '1:0:']) {
      const stream = await watch(supervisor.accessToken, id);
      await stream.until(() => stream.of('start').length === 1);
      await stream.close();
    }
  });

  test.concurrent('a session or a key that is ended is told nothing after five seconds', async () => {
    const person = await world.newPerson(['agent']);
    const token = await world.newKey(['payments:read']);
    const [byPerson, byKey] = [await watch(person.accessToken), await watch(token)];
    for (const one of [byPerson, byKey]) await one.until(() => one.of('start').length === 1);
    const startedAt = performance.now();
    await world.db.query(
      `select staff.end_sessions(array(select id from staff.sessions where user_id = $1), 'by_staff')`,
      [person.id],
    );
    await revokeApiKey(world.db, { prefix: token.split('_')[1] as string, actor: 'test' });
    for (const one of [byPerson, byKey]) {
      await one.until(() => one.state.ended, 5_000);
      expect(one.messages.at(-1)).toEqual({ event: 'end', data: {} });
    }
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  test.concurrent('what a role does not allow any more is not told any more', async () => {
    const person = await world.newPerson(['agent']);
    const stream = await watch(person.accessToken);
    await stream.until(() => stream.of('start').length === 1);
    await world.db.query(`delete from staff.user_roles where user_id = $1`, [person.id]);
    await pause(4_000);
    const payment = aPayment();
    await deliver(world.edge, payment);
    await pause(2_500);
    expect(references(stream)).not.toContain(payment.reference_number);
    await stream.close();
  });

  test.concurrent('one has ten streams at most, and one that is left makes room', async () => {
    const person = await world.newPerson(['agent']);
    const streams = await Promise.all(Array.from({ length: 10 }, () => watch(person.accessToken)));
    const refused = await ask(url(), { headers: bearer(person.accessToken) });
    expectProblem(refused, 429, 'rate_limited');
    expect(refused.headers.get('retry-after')).toBe('5');
    await streams[0]?.close();
    const asked = () => ask(url(), { headers: bearer(person.accessToken) });
    expect((await eventually(asked, ({ status }) => status === 200, 12_000)).status).toBe(200);
    await Promise.all(streams.map((one) => one.close()));
  });

  test.concurrent('nobody watches without being somebody, nor for longer than two minutes', async () => {
    expectProblem(await read(world.edge, '/api/v1/stream'), 401, 'unauthenticated');
    expectProblem(
      await read(world.edge, '/api/v1/stream?seconds=121', supervisor.accessToken),
      400,
      'invalid_query',
    );
  });

  test.concurrent('watching keeps no session from being idle', async () => {
    const person = await world.newPerson(['agent']);
    const used = () =>
      world.db.query(`select last_used_at from staff.sessions where user_id = $1 order by id`, [person.id]);
    await world.db.query(
      `update staff.sessions set last_used_at = now() - interval '10 minutes' where user_id = $1`,
      [person.id],
    );
    const before = await used();
    const stream = await watch(person.accessToken);
    await stream.until(() => stream.of('start').length === 1);
    await stream.close();
    expect(await used()).toEqual(before);
  });
});
