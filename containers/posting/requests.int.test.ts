import { afterAll, beforeAll, expect, test } from 'vitest';
import { askCommand } from '../../shared/approvals/ask-command.ts';
import { decideRequest } from '../../shared/approvals/decide-request.ts';
import { endRequests } from '../../shared/approvals/end-requests.ts';
import type { StaffCommand } from '../../shared/ledger/staff-command.ts';
import { createLog } from '../../shared/log.ts';
import { readApprovalRequest } from '../../shared/read/approval-requests.ts';
import type { Person } from '../../shared/staff/caller.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { openPool, type Pool } from '../database.ts';
import { openLedgerClient } from '../ledger-client.ts';
import { startTestLedger, type TestLedger } from '../ledger-gateway/testing.ts';
import { executingOver } from './executing-ledger.ts';
import { requests } from './requests.ts';

let database: TestDatabase;
let owner: Pool;
let api: Pool;
let posting: Pool;
let ledger: TestLedger;

beforeAll(async () => {
  database = await createTestDatabase();
  const open = (url: string) => openPool({ url, min: 0, max: 4, applicationName: 'test', timeoutMs: 20_000 });
  owner = open(database.url);
  api = open(database.urlFor('recoup_api'));
  posting = open(database.urlFor('recoup_posting'));
  ledger = await startTestLedger();
});
afterAll(async () => {
  ledger.kill();
  await Promise.all([owner.close(), api.close(), posting.close()]);
  await database.drop();
});

const person = (username: string) => ({ kind: 'user', actor: `user:${username}`, roles: [] }) as unknown as Person;
const facts = { version: '1', currency: 'EUR', principal: '90.00', fees: '10.00', totalOutstanding: '100.00' };
const commands: StaffCommand[] = [
  { kind: 'fee_waiver', accountId: 'A1', currency: 'EUR', amount: '1.00', reason: 'goodwill' },
  { kind: 'adjustment', accountId: 'A2', currency: 'EUR', principalDelta: '-2.00', feeDelta: '0.00', reason: 'error' },
  { kind: 'write_off', accountId: 'A3', currency: 'EUR', amount: '3.00', reason: 'gone' },
  {
    ...{ kind: 'disbursement', accountId: 'A4', currency: 'EUR', amount: '4.00', reason: 'signed' },
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
function part(attempts = 1) {
  const client = openLedgerClient({
    address: ledger.address,
    services: ['accounting', 'loans'],
    timeoutMs: 500,
    attempts,
    maxMessageBytes: 64 * 1024,
    breaker: { faults: 1_000, probeEveryMs: 10 },
  });
  const log = createLog('error', {});
  return { client, ...requests({ db: posting, ledger: executingOver(client), idleMs: 10, log }) };
}
const statusOf = async (id: string) => (await readApprovalRequest(api, id))?.status;

test('each kind of request is executed as it was asked for, once, however often the relay has to begin again', async () => {
  const ids = await Promise.all(commands.map((command) => ask(command)));
  for (const id of ids) await approve(id);
  const { client, step } = part();
  // What is committed and not answered is asked for again.
  let unanswered = 3;
  ledger.behave(({ commit, key }) => {
    commit();
    if (key?.startsWith('request:') && unanswered-- > 0) throw Object.assign(new Error('lost'), { code: 14 });
  });
  let rounds = 0;
  for (; rounds < 10; rounds++) {
    if ((await step().catch(() => 0)) === commands.length) break;
  }
  expect(rounds).toBeGreaterThan(0);
  for (const id of ids) {
    expect(await readApprovalRequest(api, id)).toMatchObject({ status: 'executed', transactionId: expect.any(String) });
    expect(ledger.done.get(`request:${id}`)).toBe(1);
  }
  expect(await step()).toBe(0);
  client.close();
});

test('one that the ledger does not answer holds up none of the others', async () => {
  const [stuck, other] = [await ask(commands[0] as StaffCommand), await ask(commands[2] as StaffCommand)];
  for (const id of [stuck, other]) await approve(id);
  const { client, step } = part();
  ledger.behave(({ commit, key }) => {
    if (key === `request:${stuck}`) throw Object.assign(new Error('a fault'), { code: 13 });
    commit();
  });
  await expect(step()).rejects.toThrow('has not answered');
  expect([await statusOf(stuck), await statusOf(other)]).toEqual(['approved', 'executed']);
  ledger.behave(({ commit }) => commit());
  expect(await step()).toBe(2);
  expect(await statusOf(stuck)).toBe('executed');
  client.close();
});

test('what the ledger refuses has failed, with its reason', async () => {
  const id = await ask(commands[0] as StaffCommand);
  await approve(id);
  const { client, step } = part();
  ledger.behave(() => {
    throw Object.assign(new Error('no fees'), { code: 9 });
  });
  expect(await step()).toBe(1);
  expect(await readApprovalRequest(api, id)).toMatchObject({
    status: 'failed',
    failure: { code: 'failed_precondition' },
  });
  client.close();
});

test('nobody but the functions changes a request, and what nobody decided ends', async () => {
  const id = await ask(commands[0] as StaffCommand);
  for (const role of [api, posting]) {
    await expect(role.query(`update approvals.requests set status = 'approved' where id = $1`, [id])).rejects.toThrow('42501');
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
  expect(JSON.parse(event?.payload as string)).toMatchObject({ event_type: 'approval.expired.v1', kind: 'fee_waiver' });
});
