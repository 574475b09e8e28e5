import { afterAll, beforeAll, expect, test } from 'vitest';
import { LoanLedgerServiceService } from '../../proto/generated/loan_ledger.ts';
import { askCommand } from '../../shared/approvals/ask-command.ts';
import { decideRequest } from '../../shared/approvals/decide-request.ts';
import { endRequests } from '../../shared/approvals/end-requests.ts';
import type { ExecutingLedger } from '../../shared/approvals/execute-request.ts';
import type { StaffCommand } from '../../shared/ledger/staff-command.ts';
import { createLog } from '../../shared/log.ts';
import { LedgerFault } from '../../shared/posting/post-due.ts';
import { readApprovalRequest } from '../../shared/read/approval-requests.ts';
import type { Person } from '../../shared/staff/caller.ts';
import { createTestDatabase, createTestLedger, type TestDatabase } from '../../test/database.ts';
import { openPool, type Pool } from '../database.ts';
import { openLedger } from '../ledger/ledger.ts';
import { type LedgerServer, serveLedger } from '../ledger/server.ts';
import { key as ledgerKey, loanOf, openCaller } from '../ledger/testing.ts';
import { openLedgerClient } from '../ledger-client.ts';
import { readContract } from '../ledger-contract.ts';
import { executing, executingOver } from './requests.ts';

let database: TestDatabase;
let ledgerDatabase: TestDatabase;
let owner: Pool;
let api: Pool;
let posting: Pool;
let ledger: Pool;
let server: LedgerServer;
let client: ReturnType<typeof openLedgerClient>;
const log = createLog('error', {});

beforeAll(async () => {
  database = await createTestDatabase();
  const open = (url: string) => openPool({ url, min: 0, max: 4, applicationName: 'test', timeoutMs: 20_000 });
  owner = open(database.url);
  api = open(database.urlFor('recoup_api'));
  posting = open(database.urlFor('recoup_posting'));
  ledgerDatabase = await createTestLedger();
  ledger = open(ledgerDatabase.urlFor('recoup_ledger'));
  const options = { timeZone: 'UTC', orders: {}, batches: { largestBatch: 50, mostWaiting: 500, lanes: 2 } };
  const { methods } = openLedger({ db: ledger, mostWatchers: 3, ...options });
  const listening = { host: '127.0.0.1', port: 0, keys: [ledgerKey], tls: undefined };
  server = await serveLedger({ ...listening, messageBytes: 64 * 1024, mostCalls: 100 }, methods, log);
  client = openLedgerClient({
    address: `127.0.0.1:${server.port}`,
    services: ['accounting', 'loans'],
    ...{ key: ledgerKey, tls: undefined },
    ...{ timeoutMs: 5_000, attempts: 1, maxMessageBytes: 64 * 1024 },
    breaker: { faults: 1_000, probeEveryMs: 10 },
  });
  const caller = openCaller(server.port);
  for (const [n, disbursed] of [true, true, true, false].entries()) {
    await caller.ask(LoanLedgerServiceService.openLoan, loanOf(`A${n + 1}`, { disbursed }));
  }
  caller.close();
});
afterAll(async () => {
  client.close();
  await server.drain(2_000);
  await Promise.all([owner, api, posting, ledger].map((pool) => pool.close()));
  await database.drop();
  await ledgerDatabase.drop();
});

const person = (username: string) =>
  ({ kind: 'user', actor: `user:${username}`, roles: [] }) as unknown as Person;
const facts = {
  version: '1',
  currency: 'EUR',
  principal: '90.00',
  fees: '10.00',
  totalOutstanding: '100.00',
};
const commands: StaffCommand[] = [
  { kind: 'fee_waiver', accountId: 'A1', currency: 'EUR', amount: '1.00', reason: 'goodwill' },
  {
    kind: 'adjustment',
    accountId: 'A2',
    currency: 'EUR',
    principalDelta: '-2.00',
    feeDelta: '0.00',
    reason: 'error',
  },
  { kind: 'write_off', accountId: 'A3', currency: 'EUR', amount: '3.00', reason: 'gone' },
  {
    ...{ kind: 'disbursement', accountId: 'A4', currency: 'EUR', amount: '1000.00', reason: 'signed' },
    ...{ bankReference: 'B', paymentMethod: 'sepa' },
  },
];
let keys = 0;

async function ask(command: StaffCommand, lastingHours = 1): Promise<string> {
  const key = { actor: 'user:ada', key: `key-${++keys}`, request: 'hash' };
  const asked = await askCommand(api, person('ada'), key, { command, facts, customerId: null, lastingHours });
  if (!asked.ok || asked.value.kind !== 'request') throw new Error('expected a request');
  return asked.value.id;
}
async function approve(id: string): Promise<void> {
  const decision = { id, maker: 'user:ada', decision: 'approved', note: null, facts } as const;
  expect(await decideRequest(api, person('bo'), decision)).toEqual({ ok: true, value: undefined });
}
/** The loop, on a ledger that may do what it is told and not answer, or not be there for some. */
function part(disturb: (key: string) => 'unanswered' | 'away' | undefined = () => undefined) {
  const told = executingOver(client, readContract());
  const disturbed: ExecutingLedger = {
    async call(call, actor) {
      const trouble = disturb(String(call.message.idempotencyKey));
      if (trouble === 'away') throw new LedgerFault('away');
      const answer = await told.call(call, actor);
      if (trouble) throw new LedgerFault('lost');
      return answer;
    },
  };
  return executing({ db: posting, ledger: disturbed, idleMs: 10, onUndeliverable: () => {} });
}
const done = async (id: string) => {
  const [row] = await ledger.query<{ n: number }>(
    `select count(*)::int as n from ledger.transfers where key = $1 and kind <> 'establishment_fee'`,
    [`request:${id}`],
  );
  return row?.n;
};
const statusOf = async (id: string) => (await readApprovalRequest(api, id))?.status;

test('each kind of request is executed as it was asked for, once, however often the relay has to begin again', async () => {
  const ids = await Promise.all(commands.map((command) => ask(command)));
  for (const id of ids) await approve(id);
  let unanswered = 3;
  const { step } = part(() => (unanswered-- > 0 ? 'unanswered' : undefined));
  let rounds = 0;
  for (; rounds < 10; rounds++) {
    if ((await step().catch(() => 0)) === commands.length) break;
  }
  expect(rounds).toBeGreaterThan(0);
  for (const id of ids) {
    expect(await readApprovalRequest(api, id)).toMatchObject({
      status: 'executed',
      transactionId: expect.any(String),
    });
    expect(await done(id)).toBe(1);
  }
  expect(await step()).toBe(0);
});

test('one that the ledger does not answer holds up none of the others', async () => {
  const [stuck, other] = [await ask(commands[0] as StaffCommand), await ask(commands[2] as StaffCommand)];
  for (const id of [stuck, other]) await approve(id);
  await expect(part((key) => (key === `request:${stuck}` ? 'away' : undefined)).step()).rejects.toThrow(
    'away',
  );
  expect([await statusOf(stuck), await statusOf(other)]).toEqual(['approved', 'executed']);
  expect(await part().step()).toBe(2);
  expect([await statusOf(stuck), await done(stuck), await done(other)]).toEqual(['executed', 1, 1]);
});

test('what the ledger refuses has failed, with its reason', async () => {
  const id = await ask({ ...(commands[0] as StaffCommand), amount: '1000.00' } as StaffCommand);
  await approve(id);
  expect(await part().step()).toBe(1);
  expect(await readApprovalRequest(api, id)).toMatchObject({
    status: 'failed',
    failure: { code: 'exceeds_fees' },
  });
});

test('nobody but the functions changes a request, and what nobody decided ends', async () => {
  const id = await ask(commands[0] as StaffCommand);
  for (const role of [api, posting]) {
    await expect(
      role.query(`update approvals.requests set status = 'approved' where id = $1`, [id]),
    ).rejects.toThrow('42501');
  }
  expect(await endRequests(owner, 100)).toBe(0);
  await owner.query(
    `insert into approvals.requests (kind, account_id, currency, amount, command, facts, reason, maker, idempotency_key, request_hash, expires_at)
     select kind, account_id, currency, amount, command, facts, reason, maker, 'old', request_hash, now() - interval '1 second'
     from approvals.requests where id = $1`,
    [id],
  );
  expect(await endRequests(owner, 100)).toBe(1);
  const [event] = await owner.query<{ payload: string }>(
    `select payload from outbox.messages where topic = 'approval.events' order by position desc limit 1`,
  );
  expect(JSON.parse(event?.payload as string)).toMatchObject({
    event_type: 'approval.expired.v1',
    kind: 'fee_waiver',
  });
});
