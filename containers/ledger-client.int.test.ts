// The ledger's client over real gRPC, in front of ledgers that are well, slow, dying, flapping, overloaded and foreign.

import { mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Metadata, ServerCredentials, status } from '@grpc/grpc-js';
import { afterEach, expect, inject, onTestFinished, test } from 'vitest';
import { openTcpGate } from '../dev/doors/tcp-gate.ts';
import { selfSignedCertificate } from '../dev/servers/certificate.ts';
import {
  AccountingLedgerServiceService as accounting,
  GetBalanceRequest,
  MakeAdjustmentRequest,
  RecordRepaymentRequest,
  type Transaction,
  WaiveFeeRequest,
  WatchTransactionsRequest,
} from '../proto/generated/accounting_ledger.ts';
import { ErrorInfo } from '../proto/generated/google/rpc/error_details.ts';
import { Status } from '../proto/generated/google/rpc/status.ts';
import { LoanLedgerServiceService as loans, PostPaymentRequest } from '../proto/generated/loan_ledger.ts';
import { openLedgerClient } from './ledger-client.ts';
import { connectionTo, startTestLedger, type TestLedger } from './ledger-gateway/testing.ts';
import type { LedgerConnection } from './ledger-settings.ts';

const opened: { close(): void }[] = [];
const started: TestLedger[] = [];
afterEach(() => {
  for (const client of opened.splice(0)) client.close();
  for (const ledger of started.splice(0)) ledger.kill();
});
const start = async (options?: Parameters<typeof startTestLedger>[0]) => {
  const ledger = await startTestLedger(options);
  started.push(ledger);
  return ledger;
};
const open = (address: string, changes?: Partial<LedgerConnection>) => {
  const client = openLedgerClient(connectionTo(address, changes));
  opened.push(client);
  return client;
};

const balance = GetBalanceRequest.fromPartial({ loanAccountId: 'loan-1' });
const repayment = (idempotencyKey: string) =>
  RecordRepaymentRequest.fromPartial({ loanAccountId: 'loan-1', amount: '10.00', idempotencyKey });

test('a call carries who asks, which request it is, and the ledger key', async () => {
  const ledger = await start({ keys: ['the-second-key-of-two', 'the-first-key-of-two'] });
  const client = open(ledger.address, { key: 'the-first-key-of-two' });
  expect(
    await client.call(accounting.getBalance, balance, { actor: 'user:7', requestId: 'r-1' }),
  ).toMatchObject({
    ok: true,
    value: { loanAccountId: 'loan-1', totalOutstanding: '12.50' },
  });
  expect(ledger.asked[0]?.metadata).toMatchObject({ 'x-actor': 'user:7', 'x-request-id': 'r-1' });
  expect(
    await open(ledger.address, { key: 'a-key-that-is-not-known' }).call(accounting.getBalance, balance),
  ).toEqual({
    ok: false,
    refusal: { kind: 'unavailable', because: 'credentials' },
  });
});

test('a write without a key is not sent, and neither is what is too large', async () => {
  const ledger = await start();
  const client = open(ledger.address, { maxMessageBytes: 1_000 });
  expect(await client.call(accounting.recordRepayment, repayment(''))).toMatchObject({
    refusal: { kind: 'refused', code: 'key_missing' },
  });
  const large = RecordRepaymentRequest.fromPartial({ idempotencyKey: 'k', notes: 'x'.repeat(2_000) });
  expect(await client.call(accounting.recordRepayment, large)).toMatchObject({
    refusal: { kind: 'refused', code: 'message_too_large' },
  });
  expect(ledger.asked).toEqual([]);
  const byPayment = RecordRepaymentRequest.fromPartial({ paymentId: 'p-1', amount: '1.00' });
  expect((await client.call(accounting.recordRepayment, byPayment)).ok).toBe(true);
  // The answer is: a write that was done is not said to have been refused.
  const answered = { loanAccountId: 'x'.repeat(600), amount: '1.00', idempotencyKey: 'y' };
  expect(
    await client.call(accounting.recordRepayment, RecordRepaymentRequest.fromPartial(answered)),
  ).toMatchObject({
    refusal: { kind: 'outcome_unknown' },
  });
});

const withReason = (code: number, reason: string, domain = 'ledger') => {
  const info = { reason, domain, metadata: {} };
  const details = [
    { typeUrl: 'type.googleapis.com/google.rpc.Other', value: new Uint8Array([1]) },
    {
      typeUrl: 'type.googleapis.com/google.rpc.ErrorInfo',
      value: ErrorInfo.encode(ErrorInfo.fromPartial(info)).finish(),
    },
  ];
  const metadata = new Metadata();
  const rich = Status.encode(Status.fromPartial({ code, message: 'said', details })).finish();
  metadata.set('grpc-status-details-bin', Buffer.from(rich));
  return { code, details: 'said', metadata };
};

test.each([
  [withReason(status.FAILED_PRECONDITION, 'nothing_owed'), 'nothing_owed', 'conflict'],
  [withReason(status.NOT_FOUND, 'unknown_loan'), 'unknown_loan', 'not_found'],
  [withReason(status.INVALID_ARGUMENT, 'invalid_amount', ''), 'invalid_amount', 'invalid'],
  [withReason(status.ALREADY_EXISTS, 'not a code\n'), 'already_exists', 'conflict'],
  [{ code: status.OUT_OF_RANGE, details: 'said' }, 'out_of_range', 'invalid'],
  [{ code: status.NOT_FOUND, details: 'said', metadata: garbage() }, 'not_found', 'not_found'],
] as const)('a refusal is asked for once, and told with its reason', async (thrown, code, because) => {
  const ledger = await start();
  ledger.behave(() => {
    throw thrown;
  });
  expect(await open(ledger.address).call(accounting.recordRepayment, repayment('k'))).toEqual({
    ok: false,
    refusal: { kind: 'refused', code, message: 'said', because },
  });
  expect(ledger.asked).toHaveLength(1);
});
function garbage() {
  const metadata = new Metadata();
  metadata.set('grpc-status-details-bin', Buffer.from([255, 255, 255, 1, 2]));
  return metadata;
}

test('what passes is tried again: overload, a fault, a lost connection', async () => {
  const ledger = await start();
  const gate = await openTcpGate({ host: '127.0.0.1', port: ledger.port });
  onTestFinished(() => gate.goAway());
  const client = open(`127.0.0.1:${gate.port}`, { attempts: 6 });
  const bad = [
    () => {
      throw { code: status.RESOURCE_EXHAUSTED };
    },
    () => {
      throw { code: status.INTERNAL };
    },
    () => {
      throw { code: status.UNAVAILABLE };
    },
  ];
  for (const call of [
    () => client.call(accounting.getBalance, balance),
    () => client.call(accounting.recordRepayment, repayment(`k-${Math.random()}`)),
  ]) {
    const left = [...bad];
    ledger.behave(() => left.shift()?.());
    expect((await call()).ok).toBe(true);
    expect(left).toEqual([]);
  }
  expect(client.repeated).toBe(6);
  expect([...ledger.done.values()]).toEqual([1]);
});

test('a write that was committed and whose answer was lost is done once, and answered as a replay', async () => {
  const ledger = await start();
  const gate = await openTcpGate({ host: '127.0.0.1', port: ledger.port });
  onTestFinished(() => gate.goAway());
  let lost = 0;
  ledger.behave(async ({ commit }) => {
    commit();
    if (lost++ > 0) return;
    await gate.goAway();
    await gate.comeBack();
  });
  // One attempt: nobody tries it again before we do.
  const address = `127.0.0.1:${gate.port}`;
  expect(await open(address, { attempts: 1 }).call(accounting.recordRepayment, repayment('lost'))).toEqual({
    ok: false,
    refusal: { kind: 'outcome_unknown', because: 'lost' },
  });
  expect(await open(address).call(accounting.recordRepayment, repayment('lost'))).toMatchObject({
    ok: true,
    value: { idempotentReplay: true, transaction: { transactionId: 't-lost' } },
  });
  expect(ledger.done.get('lost')).toBe(1);
  // And with attempts to spare nobody notices.
  lost = 0;
  expect(
    await open(address, { attempts: 10, timeoutMs: 5_000 }).call(
      accounting.recordRepayment,
      repayment('kept'),
    ),
  ).toMatchObject({
    ok: true,
    value: { idempotentReplay: true },
  });
  expect(ledger.done.get('kept')).toBe(1);
});

test('a write that may have happened stays so when later attempts cannot be made', async () => {
  const ledger = await start();
  ledger.behave(({ commit }) => {
    commit();
    ledger.kill();
  });
  expect(await open(ledger.address).call(accounting.recordRepayment, repayment('k'))).toMatchObject({
    refusal: { kind: 'outcome_unknown' },
  });
  expect(ledger.done.get('k')).toBe(1);
});

test('a slow ledger is waited for until the deadline, which it is told', async () => {
  const ledger = await start();
  let gone = 0;
  ledger.behave(async (asked) => {
    await asked.gone;
    gone++;
    throw { code: status.CANCELLED };
  });
  const client = open(ledger.address, { timeoutMs: 200 });
  const began = performance.now();
  expect(await client.call(accounting.getBalance, balance)).toMatchObject({
    refusal: { kind: 'unavailable', because: 'slow' },
  });
  expect(await client.call(accounting.recordRepayment, repayment('k'))).toMatchObject({
    refusal: { kind: 'outcome_unknown', because: 'slow' },
  });
  expect(performance.now() - began).toBeLessThan(1_500);
  await expect.poll(() => gone).toBe(2);
});

test('whoever gives a call up is not waited for', async () => {
  const ledger = await start();
  const gone = new Promise<void>((resolve) => {
    ledger.behave((asked) => asked.gone.then(resolve));
  });
  const client = open(ledger.address);
  const call = client.call(accounting.recordRepayment, repayment('k'), { signal: AbortSignal.timeout(100) });
  expect(await call).toMatchObject({ refusal: { kind: 'outcome_unknown', because: 'cancelled' } });
  await gone;
  expect(client.breaker).toBe('closed');
});

test('an outage under load: callers are told at once, it is found again, and nothing happens twice', async () => {
  const first = await start();
  const client = open(first.address, { timeoutMs: 500, breaker: { faults: 5, probeEveryMs: 50 } });
  const states = new Set<string>();
  const kinds = new Map<string, number>();
  let isOver = false;
  const waits: number[] = [];
  const pending = new Set<string>();
  let second: TestLedger | undefined;
  const writer = async (name: number) => {
    for (let n = 0; !isOver; n++) {
      const key = `${name}-${n}`;
      for (;;) {
        const began = performance.now();
        const answer = await client.call(accounting.recordRepayment, repayment(key));
        states.add(client.breaker);
        kinds.set(
          answer.ok ? 'ok' : answer.refusal.kind,
          (kinds.get(answer.ok ? 'ok' : answer.refusal.kind) ?? 0) + 1,
        );
        if (!answer.ok && answer.refusal.kind === 'unavailable') waits.push(performance.now() - began);
        if (answer.ok) break;
        pending.add(key);
        await sleep(5);
      }
    }
  };
  const writers = Array.from({ length: 20 }, (_, name) => writer(name));
  await sleep(300);
  first.kill();
  await sleep(1_000);
  expect(await client.health()).toBe('unreachable');
  second = await start({ port: first.port });
  await sleep(1_500);
  isOver = true;
  await Promise.all(writers);
  expect(states).toEqual(new Set(['closed', 'open', 'half_open']));
  expect(client.breaker).toBe('closed');
  expect(pending.size).toBeGreaterThan(0);
  expect(second.done.size).toBeGreaterThan(20);
  for (const ledger of [first, second]) for (const times of ledger.done.values()) expect(times).toBe(1);
  waits.sort((a, b) => a - b);
  expect(waits[Math.floor(waits.length / 2)]).toBeLessThan(20);
});

test('the health check closes the breaker when a ledger is there again, without a write as a probe', async () => {
  const ledger = await start();
  const client = open(ledger.address, { attempts: 5, breaker: { faults: 3, probeEveryMs: 20 } });
  expect(await client.health()).toBe('serving');
  ledger.kill();
  expect((await client.call(accounting.getBalance, balance)).ok).toBe(false);
  expect(client.breaker).toBe('open');
  expect(await client.health()).toBe('unreachable');
  await start({ port: ledger.port });
  await expect.poll(() => client.health().then(() => client.breaker), { timeout: 5_000 }).toBe('closed');
});

test('a slow ledger is left alone, and its health check does not say otherwise', async () => {
  const ledger = await start();
  ledger.behave((asked) => asked.gone);
  const client = open(ledger.address, { timeoutMs: 60, breaker: { faults: 3, probeEveryMs: 300 } });
  for (let n = 0; n < 3; n++) await client.call(accounting.getBalance, balance);
  expect(client.breaker).toBe('open');
  await client.health();
  expect(client.breaker).toBe('open');
  expect(await client.call(accounting.getBalance, balance)).toEqual({
    ok: false,
    refusal: { kind: 'unavailable', because: 'breaker_open' },
  });
  expect(ledger.asked).toHaveLength(3);
  ledger.behave(() => {});
  await expect.poll(() => client.call(accounting.getBalance, balance)).toMatchObject({ ok: true });
  expect(client.breaker).toBe('closed');
});

test('a foreign ledger is used for what it can do, and is not asked for the rest', async () => {
  const ledger = await start({ services: ['accounting'] });
  const payment = PostPaymentRequest.fromPartial({
    loanAccountId: 'loan-1',
    amount: '1.00',
    idempotencyKey: 'k',
  });
  const unsupported = {
    ok: false,
    refusal: { kind: 'unsupported', method: 'LoanLedgerService.PostPayment' },
  };
  const told = open(ledger.address, { services: ['accounting'] });
  expect(await told.call(loans.postPayment, payment)).toEqual(unsupported);
  const finding = open(ledger.address);
  expect(await finding.call(loans.postPayment, payment)).toEqual(unsupported);
  ledger.kill();
  // Found out once: nothing is sent any more.
  expect(await finding.call(loans.postPayment, payment)).toEqual(unsupported);
  const again = await start({ services: ['accounting'], port: ledger.port });
  await expect.poll(() => told.call(accounting.recordRepayment, repayment('r'))).toMatchObject({ ok: true });
  const adjustment = MakeAdjustmentRequest.fromPartial({ loanAccountId: 'loan-1', idempotencyKey: 'a' });
  expect(await told.call(accounting.makeAdjustment, adjustment)).toMatchObject({
    refusal: { kind: 'unsupported', method: 'AccountingLedgerService.MakeAdjustment' },
  });
  const waiver = WaiveFeeRequest.fromPartial({ loanAccountId: 'loan-1', idempotencyKey: 'w' });
  expect((await told.call(accounting.waiveFee, waiver)).ok).toBe(true);
  expect(await told.health()).toBe('serving');
  expect(again.asked.map(({ method }) => method)).toEqual(['RecordRepayment', 'WaiveFee']);
});

test('a stream is read as it comes, refused as a call is, given up, and told when it breaks off', async () => {
  const ledger = await start();
  const client = open(ledger.address);
  const request = WatchTransactionsRequest.fromPartial({ loanAccountId: 'loan-1' });
  const read = async (stop: AbortController, many: number) => {
    const watching = await client.watch(accounting.watchTransactions, request, { signal: stop.signal });
    if (!watching.ok) return watching.refusal;
    const seen: string[] = [];
    try {
      for await (const { transactionId } of watching.value as AsyncIterable<Transaction>) {
        seen.push(transactionId);
        if (seen.length === many) break;
      }
      return seen;
    } catch (error) {
      return [seen, (error as { failure: unknown }).failure];
    }
  };
  const telling = async (id: string) => {
    await expect.poll(() => ledger.watchers()).toBe(1);
    ledger.tell({ transactionId: id });
  };
  const two = read(new AbortController(), 2);
  await telling('t-1');
  await telling('t-2');
  expect(await two).toEqual(['t-1', 't-2']);
  await expect.poll(() => ledger.watchers()).toBe(0);

  const stop = new AbortController();
  const stopped = read(stop, 2);
  await telling('t-3');
  await sleep(50);
  stop.abort();
  expect(await stopped).toEqual([['t-3'], { kind: 'unavailable', because: 'cancelled' }]);
  await expect.poll(() => ledger.watchers()).toBe(0);

  ledger.behave(() => {
    throw Object.assign(new Error(), withReason(status.NOT_FOUND, 'unknown_loan'));
  });
  expect(await read(new AbortController(), 1)).toMatchObject({ kind: 'refused', code: 'unknown_loan' });

  ledger.behave(() => {});
  const broken = read(new AbortController(), 2);
  await telling('t-4');
  await sleep(50);
  ledger.kill();
  expect(await broken).toEqual([['t-4'], { kind: 'unavailable', because: 'unreachable' }]);
});

test('over TLS both sides can be asked who they are', async () => {
  const folder = mkdtempSync(join(inject('runFolder'), 'ledger-tls-'));
  const made = await selfSignedCertificate('the ledger', folder, '127.0.0.1');
  const key = readFileSync(made.keyFile);
  const pair = [{ private_key: key, cert_chain: Buffer.from(made.pem) }];
  const ledger = await start({ credentials: ServerCredentials.createSsl(Buffer.from(made.pem), pair, true) });
  const own = { certificate: made.pem, certificateKey: key.toString() };
  const call = (tls: LedgerConnection['tls']) =>
    open(ledger.address, { tls, attempts: 1 }).call(accounting.getBalance, balance);
  expect((await call({ ca: made.pem, ...own })).ok).toBe(true);
  for (const tls of [
    undefined,
    { ca: undefined, ...own },
    { ca: made.pem, certificate: undefined, certificateKey: undefined },
  ])
    expect(await call(tls)).toMatchObject({ refusal: { kind: 'unavailable' } });
});
