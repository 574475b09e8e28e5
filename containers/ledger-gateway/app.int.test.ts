// The gateway as a process of its own, HTTP in and real gRPC out, in front of a ledger that behaves as it is told.

import { setTimeout as sleep } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { freePort } from '../../dev/servers/port.ts';
import { type ContainerProcess, spawnContainer } from '../testing.ts';
import { startTestLedger, type TestLedger } from './testing.ts';

const keys = ['the-key-that-callers-have-by-now!', 'the-key-that-replaces-it-from-now'] as const;
const running = new Set<ContainerProcess>();
let ledger: TestLedger;
let url: string;
let gateway: ContainerProcess;

async function start(address: string, env: Record<string, string> = {}) {
  const port = await freePort();
  const container = spawnContainer('ledger-gateway', {
    LEDGER_SERVICE_URL: address,
    LEDGER_GATEWAY_KEYS: keys.join(),
    LEDGER_GATEWAY_PORT: String(port),
    LEDGER_SERVICE_TIMEOUT_MS: '1000',
    LEDGER_SERVICE_PROBE_MS: '100',
    HEARTBEAT_SECONDS: '1',
    ...env,
  });
  running.add(container);
  const at = `http://127.0.0.1:${port}`;
  await vi.waitFor(() => fetch(`${at}/health`), { timeout: 60_000, interval: 50 });
  return { at, container };
}
beforeAll(async () => {
  ledger = await startTestLedger();
  const started = await start(ledger.address, {
    LEDGER_GATEWAY_BODY_KILOBYTES: '4',
    LEDGER_GATEWAY_MOST_CALLS: '5',
    LEDGER_GATEWAY_MOST_STREAMS: '2',
    LEDGER_GATEWAY_STREAM_HEARTBEAT_MS: '100',
    LEDGER_GATEWAY_SLOW_READER_MS: '500',
  });
  url = started.at;
  gateway = started.container;
});
afterEach(() => ledger.behave(() => {}));
afterAll(async () => {
  for (const { child } of running) child.kill('SIGKILL');
  await Promise.all([...running].map(({ exited }) => exited));
  ledger.kill();
});

const headers = (changes: Record<string, string> = {}) => ({
  authorization: `Bearer ${keys[0]}`,
  'content-type': 'application/json',
  'x-actor': 'user:7',
  ...changes,
});
const ask = (path: string, body: unknown, changes?: Record<string, string>, at = url, signal?: AbortSignal) =>
  fetch(`${at}/v1/${path}`, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: headers(changes),
    signal: signal ?? null,
  });
const told = async (asked: Promise<Response>) => {
  const answer = await asked;
  const mediaType = answer.headers.get('content-type')?.split(';')[0];
  return { status: answer.status, mediaType, ...((await answer.json()) as object) };
};
const repayment = (idempotencyKey: string) => ({ loanAccountId: 'loan-1', amount: '10.00', idempotencyKey });
const problem = 'application/problem+json';

describe('a call', () => {
  test('is passed on with who asks, and answered in JSON with every field', async () => {
    const answer = await ask('accounting/GetBalance', { loanAccountId: 'loan-1' }, { 'x-request-id': 'r-1' });
    expect(answer.headers.get('x-request-id')).toBe('r-1');
    expect(await answer.json()).toEqual({
      loanAccountId: 'loan-1',
      principalBalance: '',
      feeBalance: '',
      totalOutstanding: '12.50',
    });
    expect(ledger.asked.at(-1)?.metadata).toMatchObject({ 'x-actor': 'user:7', 'x-request-id': 'r-1' });
    const posted = { ...repayment('k-1'), currency: 'EUR', paymentId: 'p-1' };
    expect(await told(ask('loans/PostPayment', posted))).toMatchObject({
      status: 200,
      version: '7',
      currency: 'EUR',
      answer: { idempotentReplay: false, transaction: { transactionId: 't-k-1' } },
    });
    expect(await told(ask('loans/PostPayment', posted))).toMatchObject({
      answer: { idempotentReplay: true },
    });
    expect(ledger.done.get('k-1')).toBe(1);
  });

  test.each([
    ['unauthenticated', 401, { authorization: '' }],
    ['unauthenticated', 401, { authorization: `Bearer ${keys[0]}x` }],
    ['unauthenticated', 401, { authorization: `Basic ${keys[0]}` }],
    ['unsupported_media_type', 415, { 'content-type': 'text/plain' }],
    ['invalid_request', 422, { 'x-actor': 'somebody' }],
  ] as const)('is refused as %s (%i) before the ledger hears of it', async (code, number, changes) => {
    const before = ledger.asked.length;
    const refused = await told(ask('accounting/RecordRepayment', repayment('no'), changes));
    expect(refused).toMatchObject({ status: number, mediaType: problem, code });
    // Whoever has no key is not told what there is.
    if (number === 401) expect(await told(ask('elsewhere/Nothing', '{', changes))).toMatchObject({ code });
    expect(ledger.asked.length).toBe(before);
  });

  test('either of two keys is good', async () => {
    expect((await ask('accounting/GetBalance', {}, { authorization: `Bearer ${keys[1]}` })).status).toBe(200);
  });

  test.each([
    ['accounting/GetBalance', 'malformed_body', 400, '{'],
    ['accounting/GetBalance', 'invalid_request', 422, '[]'],
    ['accounting/GetBalance', 'invalid_request', 422, { loan: 'x' }],
    ['accounting/GetBalance', 'invalid_request', 422, { loanAccountId: 7 }],
    ['accounting/RecordRepayment', 'key_missing', 422, { amount: '1.00' }],
    ['accounting/GetNothing', 'not_found', 404, {}],
    ['accounting/WatchTransactions', 'not_found', 404, {}],
    ['elsewhere/GetBalance', 'not_found', 404, {}],
    ['accounting/GetBalance', 'body_too_large', 413, { loanAccountId: 'x'.repeat(5_000) }],
    ['accounting/MakeAdjustment', 'invalid_request', 422, repayment('a')],
    ['accounting/WriteOff', 'not_supported_by_ledger', 501, { loanAccountId: 'l', idempotencyKey: 'w' }],
  ] as const)('of %s may be %s (%i)', async (path, code, number, body) => {
    expect(await told(ask(path, body))).toMatchObject({ status: number, mediaType: problem, code });
  });

  test.each([
    [status.NOT_FOUND, 'not_found', 404],
    [status.FAILED_PRECONDITION, 'failed_precondition', 409],
    [status.INVALID_ARGUMENT, 'invalid_argument', 422],
    [status.UNAUTHENTICATED, 'ledger_unavailable', 503],
    [status.RESOURCE_EXHAUSTED, 'overloaded', 503],
    [status.INTERNAL, 'outcome_unknown', 504],
    [status.UNAVAILABLE, 'outcome_unknown', 504],
  ] as const)('that the ledger ends with status %i is %s (%i)', async (code, expected, number) => {
    ledger.behave(() => {
      throw { code, details: 'said' };
    });
    const answer = await ask('accounting/RecordRepayment', repayment('never'));
    expect(answer.headers.get('retry-after')).toBe(number === 503 ? '1' : null);
    expect(await told(Promise.resolve(answer))).toMatchObject({
      status: number,
      mediaType: problem,
      code: expected,
    });
    ledger.behave(() => {});
    await expect.poll(() => ask('accounting/GetBalance', {}).then(({ status: now }) => now)).toBe(200);
  });

  test('that is too slow is not known to have happened, and its key finds out', async () => {
    ledger.behave(async ({ commit, gone }) => {
      commit();
      await gone;
    });
    expect(await told(ask('accounting/RecordRepayment', repayment('slow')))).toMatchObject({
      code: 'outcome_unknown',
    });
    ledger.behave(() => {});
    expect(await told(ask('accounting/RecordRepayment', repayment('slow')))).toMatchObject({
      idempotentReplay: true,
    });
    expect(ledger.done.get('slow')).toBe(1);
  });

  test('is given up with its client', async () => {
    const gone = new Promise<void>((resolve) => ledger.behave((asked) => asked.gone.then(resolve)));
    const call = ask('accounting/GetBalance', {}, {}, url, AbortSignal.timeout(200));
    await expect(call).rejects.toThrow();
    await gone;
  });

  test('too many at once are told so, and the others are answered', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    ledger.behave(() => held);
    const many = Array.from({ length: 8 }, () => ask('accounting/GetBalance', {}));
    let refused = 0;
    for (const one of many) one.then(({ ok }) => (refused += ok ? 0 : 1));
    await expect.poll(() => refused).toBe(3);
    release();
    const statuses = (await Promise.all(many)).map(({ status: one }) => one).toSorted();
    expect(statuses).toEqual([200, 200, 200, 200, 200, 503, 503, 503]);
  });
});

const watch = (changes: Record<string, string> = {}, query = 'loanAccountId=loan-1', signal?: AbortSignal) =>
  fetch(`${url}/v1/accounting/WatchTransactions?${query}`, {
    headers: headers(changes),
    signal: signal ?? null,
  });

describe('a stream', () => {
  test('tells transactions as they come, and that it is there; goes on where it was left; ends with its client', async () => {
    const froms: unknown[] = [];
    ledger.behave(({ key }) => froms.push(key));
    const stop = new AbortController();
    const answer = await watch({ 'last-event-id': 't-0' }, 'loanAccountId=loan-1', stop.signal);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
    let text = '';
    const reading = (async () => {
      for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) text += chunk;
    })().catch(() => {});
    await expect.poll(() => ledger.watchers()).toBe(1);
    ledger.tell({ transactionId: 't-1', totalAfter: '5.00' });
    await expect
      .poll(() => text)
      .toMatch(
        /^retry: 2000\n\n(:\n\n)*id: t-1\nevent: transaction\ndata: \{.*"totalAfter":"5.00".*\}\n\n(:\n\n)+$/,
      );
    expect(froms).toEqual(['t-0']);
    stop.abort();
    await reading;
    await expect.poll(() => ledger.watchers()).toBe(0);
    expect((await watch({ authorization: '' })).status).toBe(401);
  });

  test('is refused as a call is', async () => {
    ledger.behave(() => {
      throw Object.assign(new Error(), { code: status.NOT_FOUND, details: 'unknown' });
    });
    expect(await told(watch())).toMatchObject({ status: 404, mediaType: problem, code: 'not_found' });
  });

  test('of a client that takes nothing is given up, and there are not more than may be', async () => {
    await expect.poll(() => ledger.watchers(), { timeout: 5_000 }).toBe(0);
    const stop = new AbortController();
    const [slow] = await Promise.all([1, 2].map(() => watch({}, 'loanAccountId=loan-1', stop.signal)));
    expect(slow?.status).toBe(200);
    expect(await told(watch())).toMatchObject({ status: 503, code: 'overloaded' });
    await expect.poll(() => ledger.watchers()).toBe(2);
    // More than the sockets between us hold.
    for (let n = 0; n < 2_000; n++) ledger.tell({ transactionId: `t-${n}`, description: 'x'.repeat(10_000) });
    await expect.poll(() => ledger.watchers(), { timeout: 10_000 }).toBe(0);
    stop.abort();
  });
});

test('it says how the ledger is, and counts', async () => {
  await expect
    .poll(() => fetch(`${url}/health`).then((answer) => answer.json()))
    .toEqual({
      status: 'up',
      ledger: 'serving',
      breaker: 'closed',
    });
  expect((await fetch(`${url}/metrics`)).status).toBe(401);
  const text = await (await fetch(`${url}/metrics`, { headers: headers() })).text();
  expect(text).toMatch(
    /recoup_ledger_gateway_calls_total\{method="accounting\/GetBalance",outcome="ok"\} \d+/,
  );
  expect(text).toContain('recoup_ledger_gateway_breaker{state="closed"} 1');
  expect(text).toContain('recoup_ledger_gateway_ledger_up 1');
  expect(text).toContain('recoup_ledger_gateway_calls 0');
  expect(gateway.errors()).toBe('');
  expect(JSON.stringify(gateway.lines)).not.toMatch(/loan-1|user:7|the-key/);
});

test('an outage: refused at once, down, found again; a stream says that it broke off', async () => {
  const first = await startTestLedger();
  const { at } = await start(first.address);
  const healthNow = () => fetch(`${at}/health`).then((answer) => answer.json());
  await expect.poll(healthNow).toMatchObject({ status: 'up' });
  const stream = await fetch(`${at}/v1/accounting/WatchTransactions?loanAccountId=loan-1`, {
    headers: headers(),
  });
  await expect.poll(() => first.watchers()).toBe(1);
  first.kill();
  expect(await stream.text()).toMatch(/event: problem\ndata: \{.*"code":"ledger_unavailable".*\}\n\n$/);
  await expect.poll(healthNow).toMatchObject({ status: 'down', ledger: 'unreachable' });
  await expect
    .poll(() => ask('accounting/RecordRepayment', repayment('out'), {}, at).then(() => healthNow()))
    .toMatchObject({ breaker: 'open' });
  const began = performance.now();
  expect(await told(ask('accounting/RecordRepayment', repayment('out'), {}, at))).toMatchObject({
    status: 503,
    code: 'ledger_unavailable',
  });
  expect(performance.now() - began).toBeLessThan(500);
  const second = await startTestLedger({ port: first.port });
  await expect
    .poll(healthNow, { timeout: 10_000 })
    .toEqual({ status: 'up', ledger: 'serving', breaker: 'closed' });
  expect((await ask('accounting/RecordRepayment', repayment('out'), {}, at)).status).toBe(200);
  second.kill();
});

test('SIGTERM ends streams, and what was asked is answered', async () => {
  const probes = await freePort();
  const { at, container } = await start(ledger.address, { PROBE_PORT: String(probes) });
  const probe = (path: string) =>
    fetch(`http://127.0.0.1:${probes}/${path}`).then(({ status: found }) => found);
  await expect.poll(() => probe('readyz'), { timeout: 5_000 }).toBe(200);
  expect(await probe('livez')).toBe(200);
  const stream = await fetch(`${at}/v1/accounting/WatchTransactions?loanAccountId=loan-1`, {
    headers: headers(),
  });
  let isAsked = () => {};
  const asked = new Promise<void>((resolve) => {
    isAsked = resolve;
  });
  ledger.behave(() => {
    isAsked();
    return sleep(500);
  });
  const call = ask('accounting/RecordRepayment', repayment('last'), {}, at);
  await asked;
  container.child.kill('SIGTERM');
  expect((await call).status).toBe(200);
  await stream.text();
  expect(await container.exited).toEqual({ code: 0, signal: null });
  expect(container.errors()).toBe('');
});

test('settings that do not parse end it with code 1 and a readable list', async () => {
  const container = spawnContainer('ledger-gateway', {
    LEDGER_SERVICE_URL: 'http://ledger:50051',
    LEDGER_SERVICES: 'loans',
    LEDGER_SERVICE_CERTIFICATE: '/nowhere',
    LEDGER_SERVICE_KEY: 'short',
    LEDGER_GATEWAY_KEYS: `${keys.join()},${'x'.repeat(32)}`,
    LEDGER_GATEWAY_PORT: '0',
  });
  expect(await container.exited).toEqual({ code: 1, signal: null });
  expect(container.errors()).toMatchInlineSnapshot(`
    "ledger-gateway cannot start, its settings need attention:
      LEDGER_SERVICE_URL: expected host:port
      LEDGER_SERVICES: expected accounting or accounting,loans
      LEDGER_SERVICE_KEY: expected at least 16 characters without spaces
      LEDGER_SERVICE_CERTIFICATE: expected a PEM text or a readable file
      LEDGER_GATEWAY_PORT: expected a whole number from 1 to 65535
      LEDGER_GATEWAY_KEYS: expected one key, or two while one replaces the other
    "
  `);
});
