// For tests only: a small ledger of another make behind the same contract. It keeps one number for each loan, does what
// it is told once for each key, and behaves as badly as a test wants.

import {
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import {
  AccountingLedgerServiceService,
  GetBalanceResponse,
  Transaction,
  TransactionResponse,
  type WatchTransactionsRequest,
} from '../../proto/generated/accounting_ledger.ts';
import { LoanLedgerServiceService, PostingResponse } from '../../proto/generated/loan_ledger.ts';
import type { LedgerConnection } from '../ledger-settings.ts';

export interface Asked {
  method: string;
  key: string | undefined;
  metadata: Record<string, unknown>;
  /** Resolves when the caller has gone, or the deadline is over. */
  gone: Promise<void>;
  /** Does it, once for the key. */
  commit(): void;
}
/** What happens before the answer; a status that is thrown is the answer. */
type Behaviour = (asked: Asked) => unknown;

export interface TestLedger {
  address: string;
  port: number;
  asked: Asked[];
  /** How often each key was done. */
  done: Map<string, number>;
  behave(behaviour: Behaviour): void;
  /** To all who watch. */
  tell(transaction: Partial<Transaction>): void;
  watchers(): number;
  /** Ends all connections at once. */
  kill(): void;
}

type Row = Record<string, unknown>;
const asRow = (message: unknown) => message as Row;

export async function startTestLedger({
  port = 0,
  services = ['accounting', 'loans'],
  credentials = ServerCredentials.createInsecure(),
  keys,
}: {
  port?: number;
  services?: readonly string[];
  credentials?: ServerCredentials;
  /** Without them nobody is asked for one. */
  keys?: readonly string[];
} = {}): Promise<TestLedger> {
  const server = new Server({ 'grpc.max_receive_message_length': 64 * 1_024 * 1_024 });
  const asked: Asked[] = [];
  const done = new Map<string, number>();
  const answers = new Map<string, unknown>();
  const watching = new Set<ServerWritableStream<WatchTransactionsRequest, Transaction>>();
  let behaviour: Behaviour = () => {};

  const answering =
    (method: string, answer: (request: Row, replay: boolean) => unknown) =>
    async (call: ServerUnaryCall<unknown, unknown>, reply: sendUnaryData<unknown>) => {
      const request = asRow(call.request);
      const key = (request.idempotencyKey || request.paymentId || undefined) as string | undefined;
      const replayed = key !== undefined && answers.has(key);
      const commit = () => {
        if (!key || answers.has(key)) return;
        answers.set(key, answer(request, false));
        done.set(key, (done.get(key) ?? 0) + 1);
      };
      const one: Asked = {
        method,
        key,
        metadata: call.metadata.getMap(),
        gone: new Promise((resolve) => call.once('cancelled', () => resolve())),
        commit,
      };
      asked.push(one);
      try {
        if (keys && !keys.some((known) => one.metadata.authorization === `Bearer ${known}`))
          throw { code: status.UNAUTHENTICATED, details: 'no key' };
        await behaviour(one);
        commit();
        reply(null, replayed ? answer(request, true) : answer(request, false));
      } catch (error) {
        reply(error as Parameters<typeof reply>[0]);
      }
    };
  const posted = (request: Row, idempotentReplay: boolean) =>
    TransactionResponse.fromPartial({
      transaction: {
        transactionId: `t-${request.idempotencyKey || request.paymentId}`,
        loanAccountId: String(request.loanAccountId),
        description: String(request.loanAccountId),
      },
      idempotentReplay,
    });

  if (services.includes('accounting'))
    server.addService(
      {
        getBalance: AccountingLedgerServiceService.getBalance,
        recordRepayment: AccountingLedgerServiceService.recordRepayment,
        waiveFee: AccountingLedgerServiceService.waiveFee,
        watchTransactions: AccountingLedgerServiceService.watchTransactions,
      } as never,
      {
        getBalance: answering('GetBalance', ({ loanAccountId }) =>
          GetBalanceResponse.fromPartial({ loanAccountId: String(loanAccountId), totalOutstanding: '12.50' }),
        ),
        recordRepayment: answering('RecordRepayment', posted),
        waiveFee: answering('WaiveFee', posted),
        watchTransactions: async (call: ServerWritableStream<WatchTransactionsRequest, Transaction>) => {
          try {
            await behaviour({
              ...{
                method: 'WatchTransactions',
                key: call.request.fromTransactionId,
                metadata: call.metadata.getMap(),
              },
              ...{ gone: Promise.resolve(), commit() {} },
            });
          } catch (error) {
            return call.emit('error', error);
          }
          watching.add(call);
          call.on('cancelled', () => watching.delete(call));
          call.on('close', () => watching.delete(call));
          call.sendMetadata(call.metadata.clone());
        },
      } as never,
    );
  if (services.includes('loans'))
    server.addService(
      { postPayment: LoanLedgerServiceService.postPayment } as never,
      {
        postPayment: answering('PostPayment', (request, replay) =>
          PostingResponse.fromPartial({
            answer: posted(request, replay),
            version: 7n,
            currency: String(request.currency),
          }),
        ),
      } as never,
    );

  const bound = await new Promise<number>((resolve, reject) =>
    server.bindAsync(`127.0.0.1:${port}`, credentials, (error, found) =>
      error ? reject(error) : resolve(found),
    ),
  );
  return {
    port: bound,
    address: `127.0.0.1:${bound}`,
    asked,
    done,
    behave: (next) => {
      behaviour = next;
    },
    tell: (transaction) => {
      for (const call of watching) call.write(Transaction.fromPartial(transaction));
    },
    watchers: () => watching.size,
    kill: () => server.forceShutdown(),
  };
}

export const connectionTo = (address: string, changes: Partial<LedgerConnection> = {}): LedgerConnection => ({
  address,
  services: ['accounting', 'loans'],
  key: undefined,
  tls: undefined,
  timeoutMs: 2_000,
  attempts: 3,
  breaker: { faults: 5, probeEveryMs: 100 },
  maxMessageBytes: 1_024 * 1_024,
  ...changes,
});
