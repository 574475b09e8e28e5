// The ledger over real gRPC on a real database: every method with its answer, its refusal and its repetition; who may
// ask; and what it does with whatever else comes in.

import { once } from 'node:events';
import { connect } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  ApplyDishonourFeeRequest,
  ApplyFeeRequest,
  ApplyLateFeeRequest,
  AccountingLedgerServiceService as accounting,
  DisburseLoanRequest,
  GetOverdueAccountsRequest,
  GetTransactionsRequest,
  MakeAdjustmentRequest,
  RecordRepaymentRequest,
  type Transaction,
  TransactionType,
  WaiveFeeRequest,
  WriteOffRequest,
} from '../../proto/generated/accounting_ledger.ts';
import {
  ListTransfersRequest,
  LoanLedgerServiceService as loans,
  PostPaymentRequest,
  ReverseTransferRequest,
  WriteOffPartRequest,
} from '../../proto/generated/loan_ledger.ts';
import { DatabaseFault, type TransactionalDatabase } from '../../shared/database.ts';
import { createLog } from '../../shared/log.ts';
import { createTestLedger, type TestDatabase } from '../../test/database.ts';
import { openPool, type Pool } from '../database.ts';
import { openLedger } from './ledger.ts';
import { type LedgerServer, serveLedger } from './server.ts';
import {
  type Asking,
  key,
  type LedgerCaller,
  loanOf,
  newId,
  openCaller,
  refusalOf,
  scheduleOf,
} from './testing.ts';

const otherKey = 'the-key-that-comes-after-it-in-time';
const messageBytes = 64 * 1024;

let database: TestDatabase;
let db: Pool;
let ledger: ReturnType<typeof openLedger>;
let server: LedgerServer;
let caller: LedgerCaller;
const logged: string[] = [];
const log = createLog('info', { process: 'ledger' }, (line) => logged.push(line));

const options = {
  timeZone: 'UTC',
  orders: {},
  batches: { largestBatch: 50, mostWaiting: 500, lanes: 2 },
  mostWatchers: 3,
};
const listening = {
  host: '127.0.0.1',
  port: 0,
  keys: [key, otherKey],
  tls: undefined,
  messageBytes,
  mostCalls: 400,
};

beforeAll(async () => {
  database = await createTestLedger();
  db = openPool({
    url: database.urlFor('recoup_ledger'),
    min: 0,
    max: 6,
    applicationName: 'test',
    timeoutMs: 10_000,
  });
  ledger = openLedger({ db, ...options });
  server = await serveLedger(listening, ledger.methods, log);
  caller = openCaller(server.port);
});
afterAll(async () => {
  caller.close();
  await server.drain(2_000);
  await db.close();
  await database.drop();
});

/** Opened, paid out and planned. */
async function newLoan(): Promise<string> {
  const loanAccountId = newId();
  await caller.ask(loans.openLoan, loanOf(loanAccountId));
  await caller.ask(loans.setSchedule, scheduleOf(loanAccountId));
  return loanAccountId;
}
const balance = async (loanAccountId: string) =>
  (await caller.ask(accounting.getBalance, { loanAccountId })).totalOutstanding;

/** What each write is asked, what it must be refused for, and what it leaves owed of 1050.00. */
const writes = {
  recordRepayment: {
    ask: (loanAccountId: string, idempotencyKey: string | undefined, amount = '400.00') =>
      caller.ask(
        accounting.recordRepayment,
        RecordRepaymentRequest.fromPartial({ loanAccountId, amount, idempotencyKey }),
      ),
    leaves: '650.00',
    refused: ['-1', 'invalid_amount', status.INVALID_ARGUMENT],
  },
  applyFee: {
    ask: (loanAccountId, idempotencyKey, feeAmount = '15.00') =>
      caller.ask(
        accounting.applyFee,
        ApplyFeeRequest.fromPartial({ loanAccountId, feeType: 'late_fee', feeAmount, idempotencyKey }),
      ),
    leaves: '1065.00',
    refused: ['0', 'invalid_amount', status.INVALID_ARGUMENT],
  },
  applyLateFee: {
    ask: (loanAccountId, idempotencyKey, feeAmount = '15.00') =>
      caller.ask(
        accounting.applyLateFee,
        ApplyLateFeeRequest.fromPartial({ loanAccountId, feeAmount, daysPastDue: 12, idempotencyKey }),
      ),
    leaves: '1065.00',
    refused: ['1.001', 'invalid_amount', status.INVALID_ARGUMENT],
  },
  applyDishonourFee: {
    ask: (loanAccountId, idempotencyKey, feeAmount = '10.00') =>
      caller.ask(
        accounting.applyDishonourFee,
        ApplyDishonourFeeRequest.fromPartial({ loanAccountId, feeAmount, idempotencyKey }),
      ),
    leaves: '1060.00',
    refused: ['ten', 'invalid_amount', status.INVALID_ARGUMENT],
  },
  waiveFee: {
    ask: (loanAccountId, idempotencyKey, waiverAmount = '50.00') =>
      caller.ask(
        accounting.waiveFee,
        WaiveFeeRequest.fromPartial({
          loanAccountId,
          waiverAmount,
          reason: 'goodwill',
          approvedBy: 'user:2',
          idempotencyKey,
        }),
      ),
    leaves: '1000.00',
    refused: ['50.01', 'exceeds_fees', status.FAILED_PRECONDITION],
  },
  writeOff: {
    ask: (loanAccountId, idempotencyKey, reason = 'hardship') =>
      caller.ask(
        accounting.writeOff,
        WriteOffRequest.fromPartial({ loanAccountId, reason, approvedBy: 'user:2', idempotencyKey }),
      ),
    leaves: '0.00',
    refused: undefined,
  },
  makeAdjustment: {
    ask: (loanAccountId, idempotencyKey, principalDelta = '-100.00') =>
      caller.ask(
        accounting.makeAdjustment,
        MakeAdjustmentRequest.fromPartial({
          loanAccountId,
          principalDelta,
          feeDelta: '-5.00',
          reason: 'correction',
          approvedBy: 'user:2',
          idempotencyKey,
        }),
      ),
    leaves: '945.00',
    refused: ['-1000.01', 'exceeds_owed', status.FAILED_PRECONDITION],
  },
  postPayment: {
    ask: async (loanAccountId, idempotencyKey, amount = '400.00') =>
      (
        await caller.ask(
          loans.postPayment,
          PostPaymentRequest.fromPartial({
            loanAccountId,
            amount,
            currency: 'EUR',
            effectiveDate: '2026-02-03',
            paymentId: 'p-1',
            idempotencyKey,
          }),
        )
      ).answer!,
    leaves: '650.00',
    refused: ['0.001', 'invalid_amount', status.INVALID_ARGUMENT],
  },
  writeOffPart: {
    ask: async (loanAccountId, idempotencyKey, amount = '300.00') =>
      (
        await caller.ask(
          loans.writeOffPart,
          WriteOffPartRequest.fromPartial({
            loanAccountId,
            amount,
            currency: 'EUR',
            reason: 'settled',
            approvedBy: 'user:2',
            idempotencyKey,
          }),
        )
      ).answer!,
    leaves: '750.00',
    refused: ['1050.01', 'exceeds_owed', status.FAILED_PRECONDITION],
  },
} satisfies Record<string, Write>;
interface Write {
  ask: (
    loan: string,
    key: string | undefined,
    changed?: string,
  ) => Promise<{ transaction?: Transaction | undefined; idempotentReplay: boolean }>;
  leaves: string;
  refused: [value: string, reason: string, code: status] | undefined;
}

describe.each<[string, Write]>(Object.entries(writes))('%s', (name, { ask, leaves, refused }) => {
  test('is done once, however often it is asked under its key', async () => {
    const loan = await newLoan();
    const first = await ask(loan, name);
    expect(first).toMatchObject({ idempotentReplay: false, transaction: { totalAfter: leaves } });
    expect(await ask(loan, name)).toEqual({ ...first, idempotentReplay: true });
    expect(await balance(loan)).toBe(leaves);
    const other = await refusalOf(ask(loan, name, '1.00'));
    expect(other).toMatchObject({ code: status.ALREADY_EXISTS, reason: 'key_reused' });
    expect(await balance(loan)).toBe(leaves);
  });

  test('is refused without a key, for a loan that is unknown, and for what cannot be', async () => {
    const loan = await newLoan();
    const invalid = status.INVALID_ARGUMENT;
    expect(await refusalOf(ask(loan, undefined))).toMatchObject({ code: invalid, reason: 'key_missing' });
    const unknown = await refusalOf(ask(newId(), newId()));
    expect(unknown).toMatchObject({ code: status.NOT_FOUND, reason: 'unknown_loan' });
    if (refused) {
      const [value, reason, code] = refused;
      expect(await refusalOf(ask(loan, newId(), value))).toMatchObject({ code, reason });
    }
    expect(await balance(loan)).toBe('1050.00');
  });
});

describe('opening, paying out, reversing', () => {
  test('a loan is opened once, whatever key the same terms come under', async () => {
    const id = newId();
    const opened = await caller.ask(loans.openLoan, loanOf(id, { disbursed: false }));
    expect(opened).toEqual({ loanAccountId: id, version: 0n, idempotentReplay: false });
    const again = loanOf(id, { disbursed: false, idempotencyKey: 'another' });
    expect(await caller.ask(loans.openLoan, again)).toMatchObject({ idempotentReplay: true });
    const otherwise = loanOf(id, { disbursed: false, principal: '999.00', idempotencyKey: 'a third' });
    expect(await refusalOf(caller.ask(loans.openLoan, otherwise))).toMatchObject({
      code: status.ALREADY_EXISTS,
      reason: 'loan_is_open_otherwise',
    });
  });

  test('it is paid out once, and charged nothing before that', async () => {
    const id = newId();
    await caller.ask(loans.openLoan, loanOf(id, { disbursed: false }));
    expect(await refusalOf(writes.applyLateFee.ask(id, newId()))).toMatchObject({
      code: status.FAILED_PRECONDITION,
      reason: 'not_disbursed',
    });
    const payOut = (disbursementAmount: string, idempotencyKey: string) =>
      caller.ask(
        accounting.disburseLoan,
        DisburseLoanRequest.fromPartial({
          loanAccountId: id,
          disbursementAmount,
          bankReference: 'bank-1',
          paymentMethod: 'sepa',
          idempotencyKey,
        }),
      );
    expect(await refusalOf(payOut('999.00', 'out'))).toMatchObject({
      code: status.FAILED_PRECONDITION,
      reason: 'amount_differs_from_terms',
    });
    const paid = await payOut('1000.00', 'out:1');
    expect(paid).toMatchObject({ success: true, idempotentReplay: false });
    expect(paid.disbursementTransactionId).not.toBe(paid.feeTransactionId);
    expect(await payOut('1000.00', 'out:1')).toEqual({ ...paid, idempotentReplay: true });
    expect(await refusalOf(payOut('1000.00', 'out:2'))).toMatchObject({ reason: 'already_disbursed' });
    expect(await balance(id)).toBe('1050.00');
  });

  test('a repayment is taken back in parts, and never more than it was', async () => {
    const loan = await newLoan();
    const { transaction } = await writes.recordRepayment.ask(loan, newId());
    const reverse = (amount: string, idempotencyKey: string) =>
      caller.ask(
        loans.reverseTransfer,
        ReverseTransferRequest.fromPartial({
          loanAccountId: loan,
          transactionId: transaction?.transactionId,
          amount,
          reason: 'charged back',
          idempotencyKey,
        }),
      );
    const part = await reverse('100.00', `part:${loan}`);
    expect(part).toMatchObject({
      version: 4n,
      currency: 'EUR',
      answer: {
        transaction: {
          type: TransactionType.ADJUSTMENT,
          totalAfter: '750.00',
          referenceType: 'transaction',
          referenceId: transaction?.transactionId,
          metadata: { kind: 'reversal', reverses: transaction?.transactionId },
        },
      },
    });
    expect(await reverse('100.00', `part:${loan}`)).toMatchObject({ answer: { idempotentReplay: true } });
    expect(await refusalOf(reverse('300.01', newId()))).toMatchObject({ reason: 'exceeds_reversible' });
    await reverse('', newId());
    expect(await balance(loan)).toBe('1050.00');
    const unknown = ReverseTransferRequest.fromPartial({
      loanAccountId: loan,
      transactionId: newId(),
      idempotencyKey: newId(),
      reason: 'none',
    });
    expect(await refusalOf(caller.ask(loans.reverseTransfer, unknown))).toMatchObject({
      code: status.NOT_FOUND,
      reason: 'unknown_transfer',
    });
  });

  test('a schedule may come before its loan, and of two the later holds', async () => {
    const id = newId();
    expect(await caller.ask(loans.setSchedule, scheduleOf(id))).toEqual({ holds: true });
    await caller.ask(loans.openLoan, loanOf(id));
    const earlier = scheduleOf(id, { scheduleId: 'earlier', madeAt: new Date('2026-01-04T00:00:00Z') });
    expect(await caller.ask(loans.setSchedule, earlier)).toEqual({ holds: false });
    const undated = scheduleOf(id, { madeAt: undefined });
    expect(await refusalOf(caller.ask(loans.setSchedule, undated))).toMatchObject({ reason: 'invalid_date' });
    const schedule = await caller.ask(accounting.getScheduleWithStatus, {
      identifier: { $case: 'loanAccountId', loanAccountId: id },
    });
    expect(schedule).toMatchObject({ scheduleId: `S-${id}`, loanAccountId: id });
  });
});

describe('what is read', () => {
  test('agrees with itself after a repayment, and says where it went', async () => {
    const loan = await newLoan();
    const paid = await caller.ask(
      accounting.recordRepayment,
      RecordRepaymentRequest.fromPartial({
        loanAccountId: loan,
        amount: '400.00',
        paymentId: `payment-${loan}`,
        paymentMethod: 'sepa',
        notes: 'by phone',
      }),
      { actor: 'user:7' },
    );
    expect(paid).toMatchObject({
      allocatedToFees: '50.00',
      allocatedToPrincipal: '350.00',
      overpayment: '0.00',
      appliedToInstalments: [
        { paymentNumber: 1, amountApplied: '350.00', instalmentStatus: 'paid', amountRemaining: '0.00' },
        { paymentNumber: 2, amountApplied: '50.00', instalmentStatus: 'partial', amountRemaining: '300.00' },
      ],
      transaction: {
        type: TransactionType.REPAYMENT,
        createdBy: 'user:7',
        referenceType: 'payment',
        referenceId: `payment-${loan}`,
        notes: 'by phone',
        principalAfter: '650.00',
        feeAfter: '0.00',
      },
    });
    const { transactions, totalCount } = await caller.ask(
      accounting.getTransactions,
      GetTransactionsRequest.fromPartial({ loanAccountId: loan, limit: 2 }),
    );
    expect(totalCount).toBe(3);
    expect(transactions[0]).toEqual(paid.transaction);
    const repayments = GetTransactionsRequest.fromPartial({
      loanAccountId: loan,
      typeFilter: TransactionType.REPAYMENT,
    });
    expect((await caller.ask(accounting.getTransactions, repayments)).transactions).toEqual([
      paid.transaction,
    ]);
    expect(await caller.ask(accounting.getLedgerRecord, { loanAccountId: loan })).toMatchObject({
      accountNumber: `A-${loan}`,
      customerId: 'customer-1',
      disbursedPrincipal: '1000.00',
      establishmentFee: '50.00',
      totalRepayable: '1050.00',
      totalOutstanding: '650.00',
      totalPaid: '400.00',
      transactionCount: 3,
      lastTransactionId: paid.transaction?.transactionId,
      scheduleId: `S-${loan}`,
    });
    const schedule = await caller.ask(accounting.getScheduleWithStatus, {
      identifier: { $case: 'scheduleId', scheduleId: `S-${loan}` },
    });
    expect(schedule.summary).toMatchObject({ totalInstalments: 3, paidCount: 1, totalPaid: '400.00' });
    expect(schedule.instalments[0]).toMatchObject({
      status: 'paid',
      linkedTransactionIds: [paid.transaction?.transactionId],
    });
    const statement = await caller.ask(accounting.getStatement, {
      loanAccountId: loan,
      periodStart: '2026-01-01',
      periodEnd: '2099-12-31',
    });
    expect(statement).toMatchObject({
      openingBalance: '0.00',
      closingBalance: '650.00',
      paymentsReceived: '400.00',
    });
    expect(statement.lines.map(({ balance: after }) => after)).toEqual(['1000.00', '1050.00', '650.00']);
    const aging = await caller.ask(accounting.getAccountAging, { accountId: loan });
    expect(aging).toMatchObject({ isInArrears: true, oldestOverdueInstalmentId: `S-${loan}#2` });
    const { transfers } = await caller.ask(
      loans.listTransfers,
      ListTransfersRequest.fromPartial({ loanAccountId: loan, afterVersion: 1n }),
    );
    expect(transfers.map(({ version, kind }) => [version, kind])).toEqual([
      [2n, 'establishment_fee'],
      [3n, 'repayment'],
    ]);
    const asOf = { loanAccountId: loan, asOfDate: '2026-01-05' };
    expect(await caller.ask(loans.getLoan, asOf)).toMatchObject({ totalOutstanding: '1050.00' });
    expect(await caller.ask(loans.getLoan, { ...asOf, asOfDate: '' })).toMatchObject({
      version: 3n,
      totalOutstanding: '650.00',
    });
    const overdue = await caller.ask(
      accounting.getOverdueAccounts,
      GetOverdueAccountsRequest.fromPartial({ pageSize: 10 }),
    );
    expect(overdue.accounts.every(({ isInArrears }) => isInArrears)).toBe(true);
  });

  test('is refused for a loan that is unknown, and for what is no date, limit or token', async () => {
    const id = newId();
    const ofUnknown = [
      caller.ask(accounting.getTransactions, GetTransactionsRequest.fromPartial({ loanAccountId: id })),
      caller.ask(accounting.getBalance, { loanAccountId: id }),
      caller.ask(accounting.getLedgerRecord, { loanAccountId: `${id}\0` }),
      caller.ask(accounting.getStatement, {
        loanAccountId: id,
        periodStart: '2026-01-01',
        periodEnd: '2026-01-31',
      }),
      caller.ask(accounting.getScheduleWithStatus, {
        identifier: { $case: 'applicationNumber', applicationNumber: id },
      }),
      caller.ask(accounting.getAccountAging, { accountId: id }),
      caller.ask(loans.getLoan, { loanAccountId: id, asOfDate: '' }),
      caller.ask(loans.listTransfers, ListTransfersRequest.fromPartial({ loanAccountId: id })),
    ];
    for (const refusal of await Promise.all(ofUnknown.map(refusalOf)))
      expect(refusal).toMatchObject({ code: status.NOT_FOUND, reason: 'unknown_loan' });

    const loan = await newLoan();
    const wrong: [Promise<unknown>, string][] = [
      [caller.ask(accounting.getScheduleWithStatus, { identifier: undefined }), 'invalid_text'],
      [
        caller.ask(accounting.getStatement, {
          loanAccountId: loan,
          periodStart: '2026-02-30',
          periodEnd: '2026-03-01',
        }),
        'invalid_date',
      ],
      [caller.ask(loans.getLoan, { loanAccountId: loan, asOfDate: 'today' }), 'invalid_date'],
      [
        caller.ask(
          accounting.getTransactions,
          GetTransactionsRequest.fromPartial({ loanAccountId: loan, limit: 501 }),
        ),
        'invalid_text',
      ],
      [
        caller.ask(
          accounting.getOverdueAccounts,
          GetOverdueAccountsRequest.fromPartial({ pageToken: 'AAAA' }),
        ),
        'invalid_text',
      ],
      [
        caller.ask(
          accounting.getOverdueAccounts,
          GetOverdueAccountsRequest.fromPartial({ bucketFilter: 'old' }),
        ),
        'invalid_text',
      ],
      [
        caller.ask(
          accounting.applyFee,
          ApplyFeeRequest.fromPartial({
            loanAccountId: loan,
            feeType: 'fee',
            feeAmount: '1',
            idempotencyKey: 'x',
          }),
        ),
        'invalid_text',
      ],
    ];
    const refusals = await Promise.all(wrong.map(([call]) => refusalOf(call)));
    for (const [i, [, reason]] of wrong.entries())
      expect(refusals[i]).toMatchObject({ code: status.INVALID_ARGUMENT, reason });
  });
});

describe('watching', () => {
  const watch = (loanAccountId: string, fromTransactionId?: string) => {
    const seen: Transaction[] = [];
    const call = caller.stream(accounting.watchTransactions, { loanAccountId, fromTransactionId });
    call.on('data', (transaction: Transaction) => seen.push(transaction));
    const ended = new Promise<number>((resolve) =>
      call.on('error', (error) => resolve((error as never as { code: number }).code)),
    );
    return { seen, call, ended, versions: () => seen.map(({ metadata }) => Number(metadata.version)) };
  };

  test('tells what came after a transaction, then each as it is committed, by another process, too', async () => {
    const loan = await newLoan();
    const { transactions } = await caller.ask(
      accounting.getTransactions,
      GetTransactionsRequest.fromPartial({ loanAccountId: loan }),
    );
    const fromFirst = watch(loan, transactions.at(-1)?.transactionId);
    const fromNow = watch(loan);
    await expect.poll(fromFirst.versions, { timeout: 10_000 }).toEqual([2]);
    await expect.poll(() => ledger.state().watchers).toBe(2);
    await Promise.all(Array.from({ length: 150 }, () => writes.recordRepayment.ask(loan, newId(), '0.01')));
    await expect
      .poll(fromFirst.versions, { timeout: 20_000 })
      .toEqual(Array.from({ length: 151 }, (_, i) => i + 2));
    const elsewhere = openLedger({ db, ...options });
    await elsewhere.submit({
      kind: 'late_fee',
      loanId: loan,
      key: newId(),
      actor: 'job:test',
      amount: '5',
      daysPastDue: 1,
    });
    await ledger.look();
    await expect.poll(() => fromNow.versions().at(-1), { timeout: 10_000 }).toBe(153);
    expect(fromNow.versions()).toEqual(Array.from({ length: 151 }, (_, i) => i + 3));
    for (const { call, ended } of [fromFirst, fromNow]) {
      call.cancel();
      expect(await ended).toBe(status.CANCELLED);
    }
    await expect.poll(() => ledger.state().watchers).toBe(0);
  });

  test('is refused for what is unknown, and when too many watch', async () => {
    const loan = await newLoan();
    expect(await watch(newId()).ended).toBe(status.NOT_FOUND);
    expect(await watch(loan, newId()).ended).toBe(status.NOT_FOUND);
    const many = Array.from({ length: options.mostWatchers }, () => watch(loan));
    await expect.poll(() => ledger.state().watchers).toBe(options.mostWatchers);
    expect(await watch(loan).ended).toBe(status.RESOURCE_EXHAUSTED);
    for (const { call } of many) call.cancel();
    await expect.poll(() => ledger.state().watchers).toBe(0);
  });
});

const everyMethod = [...Object.values(accounting), ...Object.values(loans)];

describe('who may ask', () => {
  test('whoever shows no key, or a wrong one, is told so by every method', async () => {
    for (const { path } of everyMethod)
      for (const bearer of [undefined, 'guessed', `${key}x`, otherKey.slice(0, -1)]) {
        const refused = await refusalOf(raw(path, Buffer.from([255]), { bearer }));
        expect({ path, bearer, ...refused }).toMatchObject({
          code: status.UNAUTHENTICATED,
          reason: 'unauthenticated',
        });
      }
  });

  test('of two keys either counts', async () => {
    const loan = await newLoan();
    expect(
      await caller.ask(accounting.getBalance, { loanAccountId: loan }, { bearer: otherKey }),
    ).toBeDefined();
  });

  test('who asks for somebody else must say for whom in the form of an actor', async () => {
    const asked = caller.ask(accounting.getBalance, { loanAccountId: newId() }, { actor: 'somebody' });
    expect(await refusalOf(asked)).toMatchObject({ code: status.INVALID_ARGUMENT, reason: 'invalid_actor' });
  });
});

/** Bytes as they are, whatever they are. */
const raw = (path: string, bytes: Uint8Array, asking: Asking = {}) =>
  caller.ask(
    {
      path,
      requestSerialize: (value: Uint8Array) => Buffer.from(value),
      responseDeserialize: (answer) => answer,
    },
    bytes,
    asking,
  );

describe('whatever comes in', () => {
  test('bytes of any kind get an answer or a status from every method, and nothing else happens', async () => {
    const loan = await newLoan();
    const before = await balance(loan);
    const text = (field: number, value: string) =>
      Buffer.concat([Buffer.from([(field << 3) | 2, Buffer.byteLength(value)]), Buffer.from(value)]);
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      // Fields of the right kind with anything in them.
      fc
        .array(fc.tuple(fc.integer({ min: 1, max: 15 }), fc.string({ maxLength: 30, unit: 'binary' })), {
          maxLength: 8,
        })
        .map((fields) => Buffer.concat(fields.map(([field, value]) => text(field, value)))),
    );
    const unary = everyMethod.filter(({ responseStream }) => !responseStream);
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...unary), bytes, async ({ path }, given) => {
        const code = await raw(path, given).then(
          () => status.OK,
          (error) => error.code,
        );
        // Internal is what a message that cannot be read is; unknown would be an exception of ours.
        expect([
          status.OK,
          status.INTERNAL,
          status.INVALID_ARGUMENT,
          status.NOT_FOUND,
          status.ALREADY_EXISTS,
          status.FAILED_PRECONDITION,
        ]).toContain(code);
      }),
      { numRuns: 200 },
    );
    expect(await balance(loan)).toBe(before);
    expect(logged.filter((line) => line.includes('call_failed'))).toEqual([]);
  });

  test('frames of any kind do not bring it down', async () => {
    const loan = await newLoan();
    const framed = (flag: number, length: number, body: string) => {
      const prefix = Buffer.alloc(5);
      prefix.writeUInt8(flag);
      prefix.writeUInt32BE(length, 1);
      return Buffer.concat([prefix, Buffer.from(body)]);
    };
    const headers = {
      ':method': 'POST',
      ':path': accounting.getBalance.path,
      'content-type': 'application/grpc',
      te: 'trailers',
      authorization: `Bearer ${key}`,
    };
    const requests: [object, Buffer][] = [
      [headers, Buffer.alloc(0)],
      [headers, Buffer.from([0])],
      [headers, framed(0, 10, 'abc')],
      [headers, framed(0, 0xffffffff, 'abc')],
      [headers, framed(1, 3, 'abc')],
      [headers, framed(255, 3, 'abc')],
      [headers, Buffer.concat([framed(0, 0, ''), framed(0, 0, '')])],
      [{ ...headers, 'grpc-encoding': 'gzip' }, framed(1, 3, 'abc')],
      [{ ...headers, 'grpc-encoding': 'no such' }, framed(1, 3, 'abc')],
      [{ ...headers, 'grpc-timeout': 'soon' }, framed(0, 0, '')],
      [{ ...headers, 'grpc-timeout': '0n' }, framed(0, 0, '')],
      [{ ...headers, 'content-type': 'text/plain' }, Buffer.from('{}')],
      [{ ...headers, ':method': 'PUT' }, framed(0, 0, '')],
      [{ ...headers, ':path': '/' }, framed(0, 0, '')],
      [{ ...headers, 'x-actor-bin': '%%%' }, framed(0, 0, '')],
    ];
    const session = connect(`http://127.0.0.1:${server.port}`).on('error', () => {});
    for (const [head, body] of requests) {
      const stream = session.request(head as never).on('error', () => {});
      const ended = once(stream, 'close').catch(() => {});
      stream.resume().end(body);
      await ended;
    }
    session.destroy();
    for (const bytes of [
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\0',
      'GET / HTTP/1.1\r\n\r\n',
      '\x16\x03\x01\0',
    ]) {
      const socket = connectTcp(server.port, '127.0.0.1').on('error', () => {});
      await once(socket, 'connect');
      socket.end(bytes);
      await once(socket.resume(), 'close');
    }
    expect(await balance(loan)).toBe('1050.00');
    expect(server.state().calls).toBe(0);
  });

  test('a message that is too large is not read', async () => {
    const large = raw(accounting.getBalance.path, Buffer.alloc(messageBytes + 1));
    expect(await refusalOf(large)).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
  });

  test('a method that is not there is told so', async () => {
    const missing = raw('/billie.ledger.v1.AccountingLedgerService/DropTables', Buffer.alloc(0));
    expect(await refusalOf(missing)).toMatchObject({ code: status.UNIMPLEMENTED });
  });

  test('a hundred writers on one loan are all heard, in few transactions, and the sum is right', async () => {
    const loan = await newLoan();
    const { batches } = ledger.state();
    const writers = Array.from({ length: 100 }, async (_, writer) => {
      for (let n = 0; n < 5; n++)
        await writes.recordRepayment.ask(loan, `hot:${loan}:${writer}:${n}`, '1.01');
    });
    await Promise.all(writers);
    expect(await balance(loan)).toBe('545.00');
    const { transactionCount } = await caller.ask(accounting.getLedgerRecord, { loanAccountId: loan });
    expect(transactionCount).toBe(502);
    expect(ledger.state().batches - batches).toBeLessThan(200);
  });

  test('who waits no longer than their deadline may ask again, and it is done once', async () => {
    const loan = await newLoan();
    const held = Promise.withResolvers<void>();
    const holding = db.transaction(async (tx) => {
      await tx.query('select from ledger.positions where loan_id = $1 for update', [loan]);
      held.resolve();
      await sleep(600);
    });
    await held.promise;
    const request = RecordRepaymentRequest.fromPartial({
      loanAccountId: loan,
      amount: '50.00',
      idempotencyKey: newId(),
    });
    const late = caller.ask(accounting.recordRepayment, request, { deadlineMs: 150 });
    expect(await refusalOf(late)).toMatchObject({ code: status.DEADLINE_EXCEEDED });
    await holding;
    await caller.ask(accounting.recordRepayment, request);
    expect(await balance(loan)).toBe('1000.00');
  });
});

test('while the database is away nothing happens and that is said; when its answer to a commit is lost, that too', async () => {
  const loan = await newLoan();
  let loses: 'nothing' | 'connection' | 'answer' = 'nothing';
  const fault = () => new DatabaseFault('lost', { cause: undefined });
  const losing: TransactionalDatabase = {
    query: async (text, params) => {
      if (loses === 'connection') throw fault();
      return db.query(text, params);
    },
    arrays: db.arrays,
    transaction: async (work) => {
      if (loses === 'connection') throw fault();
      const value = await db.transaction(work);
      if (loses === 'answer') throw fault();
      return value;
    },
  };
  const other = await serveLedger(listening, openLedger({ ...options, db: losing }).methods, log);
  const asking = openCaller(other.port);
  const pay = () =>
    asking.ask(
      accounting.recordRepayment,
      RecordRepaymentRequest.fromPartial({
        loanAccountId: loan,
        amount: '50.00',
        idempotencyKey: `away:${loan}`,
      }),
    );
  loses = 'connection';
  const away = { code: status.UNAVAILABLE, reason: 'not_now' };
  expect(await refusalOf(asking.ask(accounting.getBalance, { loanAccountId: loan }))).toMatchObject(away);
  expect(await refusalOf(pay())).toMatchObject(away);
  expect(await balance(loan)).toBe('1050.00');
  loses = 'answer';
  expect(await refusalOf(pay())).toMatchObject({ code: status.UNAVAILABLE, reason: 'outcome_unknown' });
  loses = 'nothing';
  expect(await pay()).toMatchObject({ idempotentReplay: true, transaction: { totalAfter: '1000.00' } });
  asking.close();
  expect(await other.drain(2_000)).toBe(true);
});
