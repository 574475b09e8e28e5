// For tests only: what speaks the gateway's HTTP in place of gateway and ledger, and can be slow, dying or away on command.
// It keeps balances and keys as simply as can be; what a ledger does about money is tested elsewhere.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export const gatewayKey = 'key-of-the-test-gateway';

type Message = Record<string, unknown>;

interface Loan {
  principal: bigint;
  fees: bigint;
  version: number;
  transactions: Message[];
}

/**
 * `away`: refuses as a gateway does whose ledger is away. `lost`: does it, and closes the connection without an answer. `late`:
 * the same with an answer that nothing is known. `foreign`: knows accounting alone.
 */
export type Mood = 'well' | 'away' | 'lost' | 'late' | 'foreign' | 'hanging';

export interface LedgerStandIn {
  url: string;
  mood: Mood;
  /** Answers changes only, when it is not well. */
  readsAnyway: boolean;
  /** What has been posted, by key. */
  posted: ReadonlyMap<string, { method: string; message: Message; actor: string }>;
  loan(id: string): Loan;
  close(): Promise<void>;
}

const minor = (text: unknown) => {
  const [, sign = '', whole = '0', cents = ''] = /^(-?)(\d+)(?:\.(\d\d))?$/.exec(String(text)) ?? [];
  const value = BigInt(whole) * 100n + BigInt(cents || '0');
  return sign ? -value : value;
};
const major = (value: bigint) => {
  const digits = String(value < 0n ? -value : value).padStart(3, '0');
  return `${value < 0n ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`;
};

class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string) {
    super(code);
    this.status = status;
    this.code = code;
  }
}

const changes: Record<string, [type: string, deltas: (m: Message, l: Loan) => [bigint, bigint]]> = {
  RecordRepayment: [
    'REPAYMENT',
    ({ amount }, { fees }) => {
      const toFees = minor(amount) < fees ? minor(amount) : fees;
      return [toFees - minor(amount), -toFees];
    },
  ],
  ApplyLateFee: ['LATE_FEE', ({ feeAmount }) => [0n, minor(feeAmount)]],
  ApplyDishonourFee: ['DISHONOUR_FEE', ({ feeAmount }) => [0n, minor(feeAmount)]],
  WaiveFee: [
    'FEE_WAIVER',
    ({ waiverAmount }, { fees }) => {
      if (minor(waiverAmount) > fees) throw new Refusal(409, 'exceeds_fees');
      return [0n, -minor(waiverAmount)];
    },
  ],
  WriteOffPart: [
    'WRITE_OFF',
    ({ amount }, { principal, fees }) => {
      if (minor(amount) > principal + fees) throw new Refusal(409, 'exceeds_owed');
      const ofFees = minor(amount) < fees ? minor(amount) : fees;
      return [ofFees - minor(amount), -ofFees];
    },
  ],
  MakeAdjustment: ['ADJUSTMENT', ({ principalDelta, feeDelta }) => [minor(principalDelta), minor(feeDelta)]],
  DisburseLoan: ['DISBURSEMENT', ({ disbursementAmount }) => [minor(disbursementAmount), 0n]],
};

export async function startLedgerStandIn(): Promise<LedgerStandIn> {
  const loans = new Map<string, Loan>();
  const posted = new Map<string, { method: string; message: Message; actor: string; answer: Message }>();
  const watchers = new Set<{ id: string; response: ServerResponse }>();

  /** 500.00 are owed on every loan, 40.00 of it fees; those whose name begins with "none" are not known. */
  function loan(id: string): Loan {
    if (id.startsWith('none')) throw new Refusal(404, 'unknown_loan');
    const known = loans.get(id) ?? { principal: 46000n, fees: 4000n, version: 1, transactions: [] };
    loans.set(id, known);
    return known;
  }

  function transaction(
    id: string,
    type: string,
    [principal, fees]: [bigint, bigint],
    actor: string,
  ): Message {
    const its = loan(id);
    its.principal += principal;
    its.fees += fees;
    its.version++;
    const at = new Date().toISOString();
    const made = {
      transactionId: crypto.randomUUID(),
      loanAccountId: id,
      ...{ type, transactionDate: at, effectiveDate: '2026-11-24', createdAt: at, createdBy: actor },
      principalDelta: major(principal),
      feeDelta: major(fees),
      principalAfter: major(its.principal),
      feeAfter: major(its.fees),
      totalDelta: major(principal + fees),
      totalAfter: major(its.principal + its.fees),
      description: type.toLowerCase(),
    };
    its.transactions.unshift(made);
    for (const { id: watched, response } of watchers) {
      if (watched === id) response.write(eventOf(made));
    }
    return made;
  }
  const eventOf = (t: Message) =>
    `id: ${t.transactionId}\nevent: transaction\ndata: ${JSON.stringify(t)}\n\n`;

  function change(method: string, message: Message, actor: string): Message {
    const [type, deltas] = changes[method] as (typeof changes)[string];
    const key = String(message.idempotencyKey ?? '');
    if (!key) throw new Refusal(422, 'key_missing');
    const before = posted.get(key);
    if (before) {
      const isSame = JSON.stringify([before.method, before.message]) === JSON.stringify([method, message]);
      if (!isSame) throw new Refusal(409, 'key_reused');
      return { ...before.answer, idempotentReplay: true };
    }
    const id = String(message.loanAccountId);
    const made = transaction(id, type, deltas(message, loan(id)), actor);
    const repaid = type === 'REPAYMENT' && {
      allocatedToFees: major(-minor(made.feeDelta)),
      allocatedToPrincipal: major(-minor(made.principalDelta)),
      appliedToInstalments: [
        {
          ...{ paymentNumber: 1, amountApplied: String(message.amount), instalmentStatus: 'PARTIAL' },
          ...{ amountRemaining: '50.00', dueDate: '2026-10-15', scheduledAmount: '250.00' },
        },
      ],
    };
    const inner = { transaction: made, eventId: made.transactionId, ...repaid };
    const answer: Message =
      method === 'DisburseLoan'
        ? { success: true, message: 'disbursed', disbursementTransactionId: made.transactionId }
        : method === 'WriteOffPart'
          ? { answer: inner, version: String(loan(id).version), currency: 'EUR' }
          : inner;
    posted.set(key, { method, message, actor, answer });
    return answer;
  }

  function read(method: string, message: Message): Message {
    const id = String(message.loanAccountId ?? message.accountId);
    const { principal, fees, version, transactions } = loan(id);
    const owed = {
      principalBalance: major(principal),
      feeBalance: major(fees),
      totalOutstanding: major(principal + fees),
    };
    const instalment = {
      ...{ paymentNumber: 1, dueDate: '2026-10-15', scheduledAmount: '250.00', status: 'PARTIAL' },
      ...{ amountPaid: '200.00', amountRemaining: '50.00' },
    };
    const answers: Record<string, Message> = {
      GetLoan: {
        ...{ loanAccountId: id, currency: 'EUR', version: String(version), asOfDate: '2026-11-29' },
        totalOutstanding: owed.totalOutstanding,
        balances: [
          { account: 'principal', amount: major(principal) },
          { account: 'fees', amount: major(fees) },
          { account: 'suspense', amount: '-5.00' },
        ],
      },
      GetBalance: { loanAccountId: id, ...owed, asOf: '2026-11-29T09:00:00.000Z' },
      GetTransactions: {
        loanAccountId: id,
        transactions: transactions.slice(0, Number(message.limit ?? 50)),
        totalCount: transactions.length,
      },
      GetLedgerRecord: {
        ...{ loanAccountId: id, accountNumber: 'LN00001234', customerId: 'C-1001' },
        ...{ disbursedPrincipal: '460.00', establishmentFee: '40.00', totalRepayable: '500.00', ...owed },
        ...{ totalPaid: '0.00', transactionCount: transactions.length },
      },
      GetStatement: {
        loanAccountId: id,
        ...{ accountNumber: 'LN00001234', customerId: 'C-1001', ...message },
        ...{ disbursedPrincipal: '460.00', establishmentFee: '40.00', totalRepayable: '500.00' },
        ...{ openingBalance: '500.00', closingBalance: owed.totalOutstanding },
        lines: [
          {
            ...{ date: '2026-10-15', transactionId: 'T-1', description: 'late fee' },
            ...{ charge: '15.00', balance: '515.00' },
          },
        ],
      },
      GetScheduleWithStatus: {
        ...{ scheduleId: 'S-42', loanAccountId: id, customerId: 'C-1001', instalments: [instalment] },
        summary: { totalInstalments: 1, partialCount: 1, totalScheduled: '250.00', totalPaid: '200.00' },
      },
      GetAccountAging: {
        ...{ accountId: id, dpd: 45, bucket: 'late_arrears', totalOverdueAmount: '50.00' },
        ...{ isInArrears: true, lastUpdated: '2026-11-29' },
      },
    };
    const answer = answers[method];
    if (!answer) throw new Refusal(404, 'not_found');
    return answer;
  }

  const problem = (response: ServerResponse, status: number, code: string) => {
    response.writeHead(status, { 'content-type': 'application/problem+json' });
    response.end(
      JSON.stringify({ type: `urn:recoup:problem:${code}`, title: code, status, code, detail: code }),
    );
  };

  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://stand-in');
    const [, , service = '', method = ''] = pathname.split('/');
    if (request.headers.authorization !== `Bearer ${gatewayKey}`)
      return problem(response, 401, 'unauthenticated');
    const message = request.method === 'POST' ? (JSON.parse(await textOf(request)) as Message) : {};
    const isChange = method in changes;
    const { mood } = standIn;
    if (mood === 'foreign' && service === 'loans') return problem(response, 501, 'not_supported_by_ledger');
    if (isChange || !standIn.readsAnyway) {
      if (mood === 'away') return problem(response, 503, 'ledger_unavailable');
      if (mood === 'hanging') return;
    }
    try {
      if (method === 'WatchTransactions') {
        const id = searchParams.get('loanAccountId') ?? '';
        const missed = loan(id).transactions.toReversed();
        const from = missed.findIndex((t) => t.transactionId === searchParams.get('fromTransactionId'));
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(':\n\n');
        for (const t of missed.slice(from + 1)) response.write(eventOf(t));
        const watcher = { id, response };
        watchers.add(watcher);
        response.on('close', () => watchers.delete(watcher));
        return;
      }
      const actor = String(request.headers['x-actor']);
      const answer = isChange ? change(method, message, actor) : read(method, message);
      if (isChange && mood === 'lost') return request.socket.destroy();
      if (isChange && mood === 'late') return problem(response, 504, 'outcome_unknown');
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(answer));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      problem(response, error.status, error.code);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const standIn: LedgerStandIn = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    mood: 'well',
    readsAnyway: true,
    posted,
    loan,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return standIn;
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of request) text += piece;
  return text;
}
