// The ledger's container as it is deployed: a process of its own with its role's rights, killed and stopped while it is
// asked, over TLS, and asked by a program that knows nothing of us.

import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { credentials, status } from '@grpc/grpc-js';
import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import { openTcpGate } from '../../dev/doors/tcp-gate.ts';
import { selfSignedCertificate } from '../../dev/servers/certificate.ts';
import { freePort } from '../../dev/servers/port.ts';
import {
  AccountingLedgerServiceService as accounting,
  RecordRepaymentRequest,
  type Transaction,
  type TransactionResponse,
} from '../../proto/generated/accounting_ledger.ts';
import { LoanLedgerServiceService as loans } from '../../proto/generated/loan_ledger.ts';
import {
  createTestDatabase,
  createTestLedger,
  createTestRedis,
  type TestDatabase,
} from '../../test/database.ts';
import { seeded } from '../../test/seeded.ts';
import { openPool, type Pool } from '../database.ts';
import { type ContainerProcess, spawnContainer } from '../testing.ts';
import { key, type LedgerCaller, loanOf, newId, openCaller, refusalOf, scheduleOf } from './testing.ts';

const seed = 20_261_129;

let main: TestDatabase;
let database: TestDatabase;
let owner: Pool;
let redisUrl: string;
const alive = new Set<ContainerProcess>();
const callers = new Set<LedgerCaller>();

beforeAll(async () => {
  [main, database] = await Promise.all([createTestDatabase(), createTestLedger()]);
  owner = openPool({ url: database.url, min: 0, max: 2, applicationName: 'test', timeoutMs: 10_000 });
  ({ url: redisUrl } = await createTestRedis());
});
afterEach(async () => {
  for (const caller of callers) caller.close();
  callers.clear();
  for (const { child } of alive) child.kill('SIGKILL');
  await Promise.all([...alive].map(({ exited }) => exited));
  alive.clear();
});
afterAll(async () => {
  await owner.close();
  await Promise.all([main.drop(), database.drop()]);
});

async function start(port: number, more: Record<string, string> = {}): Promise<ContainerProcess> {
  const container = spawnContainer('ledger', {
    DATABASE_URL: main.urlFor('recoup_ledger'),
    LEDGER_DATABASE_URL: database.urlFor('recoup_ledger'),
    REDIS_URL: redisUrl,
    LEDGER_PORT: String(port),
    LEDGER_KEYS: key,
    HEARTBEAT_SECONDS: '1',
    ...more,
  });
  alive.add(container);
  await expect
    .poll(() => container.lines, { timeout: 60_000 })
    .toContainEqual(expect.objectContaining({ event: 'ledger_started' }));
  return container;
}
const end = async (container: ContainerProcess, signal: 'SIGKILL' | 'SIGTERM') => {
  alive.delete(container);
  container.child.kill(signal);
  return container.exited;
};
const callerAt = (
  port: number,
  ...more: Parameters<typeof openCaller> extends [number, ...infer R] ? R : never
) => {
  const caller = openCaller(port, ...more);
  callers.add(caller);
  return caller;
};
const repayment = (loanAccountId: string, idempotencyKey: string, amount = '1.00') =>
  RecordRepaymentRequest.fromPartial({ loanAccountId, amount, idempotencyKey });
/** Has the loan's lock; ends when it is let go. */
async function hold(loan: string): Promise<() => Promise<void>> {
  const held = Promise.withResolvers<void>();
  const letGo = Promise.withResolvers<void>();
  const holding = owner.transaction(async (tx) => {
    await tx.query('select from ledger.positions where loan_id = $1 for update', [loan]);
    held.resolve();
    await letGo.promise;
  });
  await Promise.race([held.promise, holding]);
  return () => {
    letGo.resolve();
    return holding;
  };
}
const transfersOf = async (loan: string) =>
  (await owner.query<{ key: string }>('select key from ledger.transfers where loan_id = $1', [loan])).length;

test('killed between commit and answer, and asked again under the key, it gives the answer of the first time', async () => {
  const port = await freePort();
  const gate = await openTcpGate({ host: '127.0.0.1', port });
  const first = await start(port);
  const direct = callerAt(port);
  const throughGate = callerAt(gate.port);
  const loan = newId();
  await direct.ask(loans.openLoan, loanOf(loan));
  await throughGate.ask(accounting.getBalance, { loanAccountId: loan });

  // What it answers does not arrive: the loan is held until nothing passes any more.
  const release = await hold(loan);
  const request = repayment(loan, 'pay:1', '400.00');
  const unanswered = refusalOf(throughGate.ask(accounting.recordRepayment, request));
  const waits = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
  await expect.poll(async () => (await owner.query(waits)).length, { timeout: 10_000 }).toBe(1);
  gate.fallSilent();
  await release();
  await expect.poll(() => transfersOf(loan), { timeout: 10_000 }).toBe(3);
  await end(first, 'SIGKILL');
  await gate.goAway();
  expect(await unanswered).toMatchObject({ code: status.UNAVAILABLE });

  await start(port);
  const answered: TransactionResponse = await callerAt(port).ask(accounting.recordRepayment, request);
  expect(answered).toMatchObject({
    idempotentReplay: true,
    allocatedToFees: '50.00',
    allocatedToPrincipal: '350.00',
  });
  expect(await transfersOf(loan)).toBe(3);
}, 90_000);

test('two ledgers of one database, of which one is killed again and again, post each key once', async () => {
  const random = seeded(seed);
  const ports = [await freePort(), await freePort()];
  const servers = await Promise.all(ports.map((port) => start(port)));
  const ids = [newId(), newId(), newId()];
  for (const id of ids) await callerAt(ports[0]!).ask(loans.openLoan, loanOf(id));

  let stopped = false;
  const acknowledged: string[] = [];
  const writers = Array.from({ length: 5 }, async (_, writer) => {
    const own = ports.map((port) => callerAt(port));
    for (let n = 0; !stopped; n++) {
      const loan = ids[(writer + n) % ids.length]!;
      const idempotencyKey = `kill:${writer}:${n}`;
      for (let done = false; !done; ) {
        // Now this one, now the other, and sometimes both at once.
        const [one, other] = [own[n % 2]!, own[(n + 1) % 2]!];
        const asked = [one, ...(n % 5 === 0 ? [other] : [])].map((caller) =>
          caller.ask(accounting.recordRepayment, repayment(loan, idempotencyKey), { deadlineMs: 5_000 }),
        );
        const answers = await Promise.allSettled(asked);
        done = answers.some((answer) => answer.status === 'fulfilled');
        if (!done) {
          own.reverse();
          await sleep(20);
        }
      }
      acknowledged.push(`${loan} ${idempotencyKey}`);
      // A process that starts needs the processor, too.
      await sleep(20);
    }
  });
  for (let kill = 0; kill < 2; kill++) {
    await sleep(random.between(300, 900));
    await end(servers[1]!, 'SIGKILL');
    servers[1] = await start(ports[1]!);
  }
  stopped = true;
  await Promise.all(writers);

  const rows = await owner.query<{ loan_id: string; key: string }>(
    `select t.loan_id, t.key from ledger.transfers t
     where t.kind = 'repayment'`,
  );
  const posted = rows
    .filter(({ loan_id }) => ids.includes(loan_id))
    .map((row) => `${row.loan_id} ${row.key}`);
  expect(posted.toSorted()).toEqual(acknowledged.toSorted());
  expect(posted.length).toBeGreaterThan(20);
  for (const id of ids) {
    const [row] = await owner.query<{ gapless: boolean; right: boolean }>(
      `select count(*) = max(t.version) as gapless,
              sum(t.principal + t.interest + t.fees) = max(p.principal + p.interest + p.fees) as right
       from ledger.transfers t join ledger.positions p using (loan_id) where loan_id = $1`,
      [id],
    );
    expect(row).toEqual({ gapless: true, right: true });
  }
}, 180_000);

test('stopped, it answers what it was asked, tells who watches, takes nothing new, and says how it is', async () => {
  const port = await freePort();
  const container = await start(port);
  const caller = callerAt(port);
  const loan = newId();
  await caller.ask(loans.openLoan, loanOf(loan));
  const watching = caller.stream(accounting.watchTransactions, {
    loanAccountId: loan,
    fromTransactionId: undefined,
  });
  const seen: Transaction[] = [];
  watching.on('data', (transaction: Transaction) => seen.push(transaction));
  const watchEnds = new Promise<number>((resolve) =>
    watching.on('error', (error) => resolve((error as { code?: number }).code!)),
  );
  await caller.ask(accounting.recordRepayment, repayment(loan, `watch:${loan}`));
  await expect.poll(() => seen.length, { timeout: 10_000 }).toBe(1);
  const mainOwner = openPool({ url: main.url, min: 0, max: 1, applicationName: 'test', timeoutMs: 5_000 });
  const ofThis = `%-${container.child.pid}`;
  const beat = () =>
    mainOwner.query<{ healthy: boolean; closed: boolean }>(
      `select healthy, detail->>'closed_day' is not null as closed from operations.heartbeats where process = 'ledger' and instance like $1`,
      [ofThis],
    );
  await expect.poll(beat, { timeout: 10_000 }).toEqual([{ healthy: true, closed: true }]);

  const release = await hold(loan);
  const asked = caller.ask(accounting.recordRepayment, repayment(loan, `last:${loan}`));
  await sleep(300);
  container.child.kill('SIGTERM');
  expect(await watchEnds).toBe(status.UNAVAILABLE);
  await release();
  expect(await asked).toMatchObject({ idempotentReplay: false });
  alive.delete(container);
  expect(await container.exited).toEqual({ code: 0, signal: null });
  expect(container.errors()).toBe('');
  expect(await beat()).toEqual([]);
  await mainOwner.close();
}, 90_000);

test('over TLS it shows its certificate and wants to see one, and events open loans', async () => {
  const folder = join(inject('runFolder'), `ledger-${randomUUID()}`);
  const { certificateFile, keyFile, pem } = await selfSignedCertificate('the ledger', folder, '127.0.0.1');
  const port = await freePort();
  await start(port, {
    LEDGER_TLS_CERT_FILE: certificateFile,
    LEDGER_TLS_KEY_FILE: keyFile,
    LEDGER_CLIENT_CA_FILE: certificateFile,
  });
  const trusting = Buffer.from(pem);
  const known = callerAt(port, credentials.createSsl(trusting, readFileSync(keyFile), trusting));
  const redis = await createClient({ url: redisUrl }).connect();
  const loan = newId();
  const payload = {
    account_id: loan,
    status: 'ACTIVE',
    currency: 'EUR',
    loan_amount: '500.00',
    opened_date: '2026-03-01',
  };
  await redis.xAdd('inbox:billie-servicing', '*', {
    event_id: randomUUID(),
    event_type: 'account.created.v1',
    payload: JSON.stringify(payload),
  });
  redis.destroy();
  const balance = () =>
    known.ask(accounting.getBalance, { loanAccountId: loan }).then(
      ({ totalOutstanding }) => totalOutstanding,
      () => undefined,
    );
  await expect.poll(balance, { timeout: 20_000 }).toBe('500.00');
  for (const stranger of [
    credentials.createSsl(trusting),
    credentials.createInsecure(),
    credentials.createSsl(),
  ]) {
    const refused = callerAt(port, stranger).ask(
      accounting.getBalance,
      { loanAccountId: loan },
      { deadlineMs: 5_000 },
    );
    expect(await refusalOf(refused)).toMatchObject({ code: status.UNAVAILABLE });
  }
}, 90_000);

test('with a wrong setting it lists every fault and ends', async () => {
  const container = spawnContainer('ledger', {
    LEDGER_KEYS: 'short',
    LEDGER_ALLOCATION: '{"x":["fees"]}',
    LEDGER_CLOSE_AT: '25:00',
  });
  expect(await container.exited).toEqual({ code: 1, signal: null });
  for (const name of [
    'DATABASE_URL',
    'LEDGER_DATABASE_URL',
    'LEDGER_KEYS',
    'LEDGER_ALLOCATION',
    'LEDGER_CLOSE_AT',
    'REDIS_URL',
  ])
    expect(container.errors()).toContain(name);
});

test('a client that knows nothing of us finds its way by reflection, and by the files of the contract alone', async () => {
  const port = await freePort();
  await start(port);
  const loan = newId();
  const open = { ...loanOf(loan), idempotencyKey: undefined, idempotency_key: `open:${loan}` };
  const bearer = ['-H', `authorization: Bearer ${key}`];
  const byReflection = ['--reflect-header', `authorization: Bearer ${key}`];
  const byFiles = ['--schema', join(import.meta.dirname, '../../proto')];
  for (const [way, contract] of Object.entries({ reflection: byReflection, files: byFiles })) {
    const call = async (method: string, message: object) => {
      const said = await bufCurl(port, method, [...contract, ...bearer, '-d', JSON.stringify(message)]);
      return JSON.parse(said);
    };
    const opened = await call('recoup.ledger.v1.LoanLedgerService/OpenLoan', open);
    expect(opened).toMatchObject({ loanAccountId: loan });
    await call('recoup.ledger.v1.LoanLedgerService/SetSchedule', scheduleOf(loan));
    const paid = await call('billie.ledger.v1.AccountingLedgerService/RecordRepayment', {
      loan_account_id: loan,
      amount: '400.00',
      idempotency_key: `${way}:${loan}`,
    });
    expect(paid).toMatchObject({
      transaction: { type: 'REPAYMENT', createdBy: 'key:ledger' },
      appliedToInstalments: expect.any(Array),
    });
    const nobody = await call('billie.ledger.v1.AccountingLedgerService/GetBalance', {
      loan_account_id: 'nobody',
    });
    expect(nobody).toMatchObject({ code: 'not_found', details: [{ type: 'google.rpc.ErrorInfo' }] });
    expect(atob(nobody.details[0].value)).toContain('unknown_loan');
  }
  expect(await bufCurl(port, '', [...byReflection, '--list-services'])).toContain(
    'billie.ledger.v1.AccountingLedgerService',
  );
  expect(await bufCurl(port, '', ['--list-services'])).toContain('not authenticated');
  const health = [...byReflection, ...bearer, '-d', '{}'];
  expect(await bufCurl(port, 'grpc.health.v1.Health/Check', health)).toContain('SERVING');
}, 60_000);

/** What the curl of buf prints, whose client of gRPC is not the one that we use; of a call that ends in an error, what of that. */
function bufCurl(port: number, method: string, args: readonly string[]): Promise<string> {
  const program = join(import.meta.dirname, '../../node_modules/.bin/buf');
  const url = `http://127.0.0.1:${port}/${method}`;
  const all = ['curl', '--protocol', 'grpc', '--http2-prior-knowledge', ...args, url];
  return new Promise((resolve) => {
    execFile(program, all, { timeout: 20_000 }, (_, stdout, stderr) => resolve(`${stdout}${stderr}`));
  });
}
