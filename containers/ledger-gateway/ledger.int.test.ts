// The gateway in front of the ledger that is ours, both as they are deployed: what is told of a call holds there, too.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openTcpGate, type TcpGate } from '../../dev/doors/tcp-gate.ts';
import { freePort } from '../../dev/servers/port.ts';
import {
  createTestDatabase,
  createTestLedger,
  createTestRedis,
  type TestDatabase,
} from '../../test/database.ts';
import { openPool, type Pool } from '../database.ts';
import { type ContainerProcess, spawnContainer } from '../testing.ts';

const ledgerKey = 'a key of the ledger for the gateway'.replaceAll(' ', '-');
const key = 'a key of the gateway for its callers'.replaceAll(' ', '-');
const running: ContainerProcess[] = [];
let main: TestDatabase;
let database: TestDatabase;
let owner: Pool;
let gate: TcpGate;
let ledgerEnv: Record<string, string>;
let ledger: ContainerProcess;
let url: string;

const start = (name: string, env: Record<string, string>) => {
  const container = spawnContainer(name, env);
  running.push(container);
  return container;
};
beforeAll(async () => {
  [main, database] = await Promise.all([createTestDatabase(), createTestLedger()]);
  owner = openPool({ url: database.url, min: 0, max: 2, applicationName: 'test', timeoutMs: 10_000 });
  const [ledgerPort, port] = await Promise.all([freePort(), freePort()]);
  ledgerEnv = {
    DATABASE_URL: main.urlFor('recoup_ledger'),
    LEDGER_DATABASE_URL: database.urlFor('recoup_ledger'),
    LEDGER_PORT: String(ledgerPort),
    LEDGER_KEYS: ledgerKey,
    REDIS_URL: (await createTestRedis()).url,
  };
  ledger = start('ledger', ledgerEnv);
  gate = await openTcpGate({ host: '127.0.0.1', port: ledgerPort });
  start('ledger-gateway', {
    LEDGER_SERVICE_URL: `127.0.0.1:${gate.port}`,
    LEDGER_SERVICE_KEY: ledgerKey,
    LEDGER_SERVICE_TIMEOUT_MS: '2000',
    LEDGER_SERVICE_PROBE_MS: '100',
    LEDGER_GATEWAY_PORT: String(port),
    LEDGER_GATEWAY_KEYS: key,
  });
  url = `http://127.0.0.1:${port}`;
  await isUp();
}, 60_000);
afterAll(async () => {
  for (const { child } of running) child.kill('SIGKILL');
  await Promise.all(running.map(({ exited }) => exited));
  await gate?.goAway();
  await owner.close();
  await Promise.all([main.drop(), database.drop()]);
});

interface Health {
  status: string;
  breaker: string;
}
const health = async () => (await (await fetch(`${url}/health`)).json()) as Health;
const isUp = () =>
  vi.waitFor(async () => expect(await health()).toMatchObject({ status: 'up' }), {
    timeout: 40_000,
    interval: 100,
  });
const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'x-actor': 'user:7' };
interface Answer {
  code?: string;
  transaction?: { transactionId: string };
}
const ask = async (method: string, body: object) => {
  const answer = await fetch(`${url}/v1/${method}`, { method: 'POST', headers, body: JSON.stringify(body) });
  return { status: answer.status, ...((await answer.json()) as Answer) };
};
const openLoan = async (principal: string) => {
  const loanAccountId = randomUUID();
  const terms = {
    customerId: 'c',
    applicationNumber: 'a',
    currency: 'EUR',
    establishmentFee: '0.00',
    openedOn: '2026-01-05',
  };
  const opening = {
    loanAccountId,
    accountNumber: loanAccountId,
    principal,
    product: 'bridging',
    disbursed: true,
    ...terms,
  };
  expect(
    await ask('loans/OpenLoan', { ...opening, actor: 'user:7', idempotencyKey: `open:${loanAccountId}` }),
  ).toMatchObject({
    status: 200,
    idempotentReplay: false,
  });
  return loanAccountId;
};

test('a loan is opened, watched, paid, refused by its reasons, and read', async () => {
  const loanAccountId = await openLoan('100.00');
  const stop = new AbortController();
  const stream = await fetch(`${url}/v1/accounting/WatchTransactions?loanAccountId=${loanAccountId}`, {
    headers,
    signal: stop.signal,
  });
  let told = '';
  const reading = (async () => {
    for await (const text of stream.body!.pipeThrough(new TextDecoderStream())) told += text;
  })().catch(() => {});
  const repayment = { loanAccountId, amount: '40.00', idempotencyKey: randomUUID() };
  const first = await ask('accounting/RecordRepayment', repayment);
  expect(first).toMatchObject({ status: 200, idempotentReplay: false, allocatedToPrincipal: '40.00' });
  expect(await ask('accounting/RecordRepayment', repayment)).toMatchObject({
    idempotentReplay: true,
    transaction: first.transaction,
  });
  expect(await ask('accounting/RecordRepayment', { ...repayment, amount: '41.00' })).toMatchObject({
    status: 409,
    code: 'key_reused',
  });
  expect(await ask('accounting/GetBalance', { loanAccountId: 'nobody' })).toMatchObject({
    status: 404,
    code: 'unknown_loan',
  });
  const waiver = {
    loanAccountId,
    waiverAmount: '1.00',
    reason: 'r',
    approvedBy: 'a',
    idempotencyKey: randomUUID(),
  };
  expect(await ask('accounting/WaiveFee', waiver)).toMatchObject({ status: 409, code: 'exceeds_fees' });
  expect(await ask('accounting/GetBalance', { loanAccountId })).toMatchObject({ totalOutstanding: '60.00' });
  await expect.poll(() => told).toContain(`id: ${first.transaction?.transactionId}\n`);
  stop.abort();
  await reading;
});

test('an outage under load, connections cut and the ledger killed: it is found again, and nothing is posted twice', async () => {
  const loans = await Promise.all(Array.from({ length: 4 }, () => openLoan('1000000.00')));
  const codes = new Map<string, number>();
  const breakers = new Set<string>();
  let isOver = false;
  let paid = 0;
  const writer = async (loanAccountId: string) => {
    while (!isOver) {
      const repayment = { loanAccountId, amount: '1.00', idempotencyKey: randomUUID() };
      for (;;) {
        const answer = await ask('accounting/RecordRepayment', repayment);
        const code = answer.status === 200 ? 'ok' : String(answer.code);
        codes.set(code, (codes.get(code) ?? 0) + 1);
        if (code === 'ok') break;
        await sleep(20);
      }
      paid += 1;
    }
  };
  const watching = (async () => {
    while (!isOver) {
      breakers.add((await health()).breaker);
      await sleep(50);
    }
  })();
  const writers = loans.flatMap((loan) => [writer(loan), writer(loan), writer(loan)]);
  const paidSoFar = (more: number) => {
    const goal = paid + more;
    return expect.poll(() => paid, { timeout: 20_000 }).toBeGreaterThan(goal);
  };
  for (let cut = 0; cut < 2; cut++) {
    await paidSoFar(10);
    await gate.goAway();
    await sleep(cut * 500);
    await gate.comeBack();
  }
  await paidSoFar(10);
  ledger.child.kill('SIGKILL');
  await ledger.exited;
  await sleep(1_000);
  ledger = start('ledger', ledgerEnv);
  await isUp();
  await paidSoFar(20);
  isOver = true;
  await Promise.all([watching, ...writers]);

  const [row] = await owner.query<{ count: number; cents: number }>(
    `select count(*)::int as count, sum(cash)::int * 100 as cents from ledger.transfers
     where kind = 'repayment' and loan_id = any($1)`,
    [loans],
  );
  expect(row).toEqual({ count: paid, cents: paid * 100 });
  expect(breakers).toContain('open');
  expect(codes.get('ledger_unavailable')).toBeGreaterThan(0);
}, 120_000);
