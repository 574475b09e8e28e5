// Posting as it is deployed, beside the ledger as it is deployed: processes with their roles' rights, of which either is
// killed while payments come in.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { openTcpGate } from '../../dev/doors/tcp-gate.ts';
import { freePort } from '../../dev/servers/port.ts';
import type { Command } from '../../shared/ledger/command.ts';
import { postCommands } from '../../shared/ledger/post-commands.ts';
import { terms } from '../../shared/ledger/testing.ts';
import { type NewPayment, paymentIdOf } from '../../shared/payments/payment.ts';
import { recordPayments } from '../../shared/payments/record-payments.ts';
import { reversePayments } from '../../shared/payments/reverse-payments.ts';
import { newPayment, newReversal } from '../../shared/payments/testing.ts';
import {
  createTestDatabase,
  createTestLedger,
  createTestRedis,
  type TestDatabase,
} from '../../test/database.ts';
import { seeded } from '../../test/seeded.ts';
import { openPool, type Pool } from '../database.ts';
import { type ContainerProcess, spawnContainer } from '../testing.ts';

const seed = 20_261_130;
const ledgerKey = 'the-key-of-the-ledger-for-its-tests';

let main: TestDatabase;
let ledgers: TestDatabase;
let owner: Pool;
let ledger: Pool;
let redisUrl: string;
let port: number;
const alive = new Set<ContainerProcess>();

beforeAll(async () => {
  [main, ledgers] = await Promise.all([createTestDatabase(), createTestLedger()]);
  const open = (url: string) => openPool({ url, min: 0, max: 4, applicationName: 'test', timeoutMs: 10_000 });
  owner = open(main.url);
  ledger = open(ledgers.url);
  ({ url: redisUrl } = await createTestRedis());
});
beforeEach(async () => {
  port = await freePort();
});
afterEach(async () => {
  for (const { child } of alive) child.kill('SIGKILL');
  await Promise.all([...alive].map(({ exited }) => exited));
  alive.clear();
});
afterAll(async () => {
  await Promise.all([owner.close(), ledger.close()]);
  await Promise.all([main.drop(), ledgers.drop()]);
});

async function start(name: 'ledger' | 'posting', env: Record<string, string>): Promise<ContainerProcess> {
  const container = spawnContainer(name, { HEARTBEAT_SECONDS: '1', ...env });
  alive.add(container);
  await expect
    .poll(() => [...container.lines, container.errors()], { timeout: 60_000 })
    .toContainEqual(expect.objectContaining({ event: `${name}_started` }));
  return container;
}
const startLedger = () =>
  start('ledger', {
    DATABASE_URL: main.urlFor('recoup_ledger'),
    LEDGER_DATABASE_URL: ledgers.urlFor('recoup_ledger'),
    REDIS_URL: redisUrl,
    LEDGER_PORT: String(port),
    LEDGER_KEYS: ledgerKey,
  });
const startPosting = (at = port) =>
  start('posting', {
    DATABASE_URL: main.urlFor('recoup_posting'),
    LEDGER_SERVICE_URL: `127.0.0.1:${at}`,
    LEDGER_SERVICE_KEY: ledgerKey,
    LEDGER_SERVICE_TIMEOUT_MS: '3000',
    LEDGER_SERVICE_PROBE_MS: '100',
    POSTING_INTERVAL_MS: '5',
    POSTING_BATCH_SIZE: '7',
  });
const end = async (container: ContainerProcess, signal: 'SIGKILL' | 'SIGTERM') => {
  alive.delete(container);
  container.child.kill(signal);
  return container.exited;
};

/** Known to servicing by its number N and its id, and open in the ledger. */
async function openLoan(id: string) {
  await owner.query(
    `insert into servicing.identifiers (target, kind, value, version)
     values ('account:' || $1, 'account_id', $1, ''), ('account:' || $1, 'account_number', 'N' || $1, '1')`,
    [id],
  );
  await openInLedger(id);
}
const openInLedger = (id: string) => {
  const own = {
    ...terms,
    accountNumber: `N${id}`,
    currency: 'EUR',
    principal: '100000.00',
    totalRepayable: undefined,
  };
  const opening: Command = {
    kind: 'open',
    loanId: id,
    key: `open:${id}`,
    actor: 'test',
    disbursed: true,
    terms: own,
  };
  return postCommands(ledger, [opening], { now: new Date(), today: '2026-11-20', orders: {} });
};

const pay = async (loan: string, amountMinor: bigint) => {
  const payment = newPayment({
    amount: { amountMinor, currency: 'EUR' },
    loanAccountNumber: loan,
    paidOn: '2026-11-20',
  });
  await recordPayments(owner, [payment]);
  return { payment, id: paymentIdOf(payment) };
};
const reverse = (payment: NewPayment, amountMinor: bigint) =>
  reversePayments(owner, [newReversal(payment, { amount: { amountMinor, currency: 'EUR' } })], {
    keepRefused: true,
  });
const unsettled = async () =>
  (
    await owner.query(
      `select from posting.postings where state not in ('posted', 'void')
       union all select from outbox.messages where destination = 'ledger'`,
    )
  ).length;
/** Cents that each payment comes to in the ledger, by its transfers and those that reverse them. */
const netInLedger = async () => {
  const rows = await ledger.query<{ payment: string; cents: string }>(
    `select coalesce(t.payment_id, o.payment_id) as payment, (sum(t.cash) * 100)::bigint::text as cents
     from ledger.transfers t left join ledger.transfers o on o.id = t.reverses
     where coalesce(t.payment_id, o.payment_id) is not null group by 1`,
  );
  return new Map(rows.map(({ payment, cents }) => [payment, BigInt(cents)]));
};

test('payments and their reversals are in the ledger once each, though both it and posting are killed again and again', async () => {
  for (const id of ['K1', 'K2', 'K3']) await openLoan(id);
  const random = seeded(seed);
  let [serving] = await Promise.all([startLedger(), startPosting(), startPosting()]);

  const expected = new Map<string, bigint>();
  let stopped = false;
  const paying = (async () => {
    while (!stopped && expected.size < 300) {
      const amountMinor = BigInt(random.between(1, 5_000));
      const { payment, id } = await pay(random.pick(['K1', 'NK2', 'K3']), amountMinor);
      expected.set(id, amountMinor);
      if (random.next() < 0.3) {
        const back = BigInt(random.between(1, Number(amountMinor)));
        await reverse(payment, back);
        expected.set(id, amountMinor - back);
      }
      await sleep(random.between(10, 60));
    }
  })();
  for (let kill = 0; kill < 3; kill++) {
    await sleep(random.between(200, 900));
    const [victim] = [...alive].filter((container) => container !== serving);
    await end(victim as ContainerProcess, 'SIGKILL');
    if (kill === 1) await end(serving, 'SIGKILL');
    [serving] = await Promise.all([kill === 1 ? startLedger() : serving, startPosting()]);
  }
  stopped = true;
  await paying;
  await expect.poll(unsettled, { timeout: 60_000, interval: 200 }).toBe(0);
  expect(expected.size).toBeGreaterThan(20);
  expect(await netInLedger()).toEqual(expected);
  const dated = await ledger.query(
    `select from ledger.transfers where payment_id is not null and reverses is null and effective_on <> '2026-11-20'`,
  );
  expect(dated).toEqual([]);
  for (const container of [...alive]) {
    expect(await end(container, 'SIGTERM')).toEqual({ code: 0, signal: null });
    expect(container.errors()).toBe('');
  }
}, 240_000);

test('what the ledger took and could not say is not posted again; while it is away health says so, and a loan that it gets later gets its payment', async () => {
  await openLoan('M1');
  await startLedger();
  const gate = await openTcpGate({ host: '127.0.0.1', port });
  await startPosting(gate.port);
  const how = async () => {
    const rows = await owner.query<{ healthy: boolean; ok: boolean }>(
      `select healthy, (detail ->> 'ledger_ok')::boolean as ok from operations.heartbeats
       where process = 'posting' and beat_at > now() - interval '3 seconds'`,
    );
    return rows[0];
  };
  await expect.poll(how, { timeout: 20_000 }).toEqual({ healthy: true, ok: true });

  // It is posted, and the answer does not arrive.
  gate.fallSilent();
  const { id } = await pay('M1', 12_345n);
  await expect.poll(how, { timeout: 20_000 }).toEqual({ healthy: false, ok: false });
  const unknown = await pay('M2', 500n);
  await expect.poll(unsettled, { timeout: 10_000 }).toBe(2);
  await gate.goAway();
  await gate.comeBack();
  await expect.poll(unsettled, { timeout: 30_000 }).toBe(1);
  expect((await netInLedger()).get(id)).toBe(12_345n);
  const [held] = await owner.query('select state, held_because from posting.postings where payment_id = $1', [
    unknown.id,
  ]);
  expect(held).toEqual({ state: 'held', held_because: 'unknown_loan' });

  await openLoan('M2');
  await owner.query(`update posting.postings set next_try_at = now() where state = 'held'`);
  await expect.poll(unsettled, { timeout: 20_000 }).toBe(0);
  expect((await netInLedger()).get(unknown.id)).toBe(500n);
  await expect.poll(how, { timeout: 20_000 }).toEqual({ healthy: true, ok: true });
}, 120_000);
