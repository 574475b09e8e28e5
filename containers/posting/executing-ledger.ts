// The ledger as approved requests need it: messages as protobuf's JSON go out by gRPC.

import {
  AccountingLedgerServiceService,
  DisburseLoanRequest,
  DisburseLoanResponse,
  MakeAdjustmentRequest,
  TransactionResponse,
  WaiveFeeRequest,
} from '../../proto/generated/accounting_ledger.ts';
import {
  LoanLedgerServiceService,
  PostingResponse,
  WriteOffPartRequest,
} from '../../proto/generated/loan_ledger.ts';
import type { ExecutingLedger } from '../../shared/approvals/execute-request.ts';
import type { LedgerClient } from '../ledger-client.ts';
import type { LedgerFailure } from '../ledger-failure.ts';
import type { LedgerMethod } from '../ledger-method.ts';
import type { Result } from '../../shared/result.ts';

type Json = Record<string, unknown>;

/** The ledger has not answered: it is to be asked again under the same key. */
export class NotAnswered extends Error {
  override readonly name = 'NotAnswered';
}

export function executingOver(client: LedgerClient): ExecutingLedger {
  const by =
    <Request extends object, Response>(
      method: LedgerMethod<Request, Response>,
      request: { fromJSON(json: unknown): Request },
      response: { toJSON(message: Response): unknown },
    ) =>
    async (message: Json, actor: string): Promise<Result<Json, LedgerFailure>> => {
      const answer = await client.call(method, request.fromJSON(message), { actor });
      return answer.ok ? { ok: true, value: response.toJSON(answer.value) as Json } : answer;
    };
  const { waiveFee, makeAdjustment, disburseLoan } = AccountingLedgerServiceService;
  const methods: Record<string, (message: Json, actor: string) => Promise<Result<Json, LedgerFailure>>> = {
    WaiveFee: by(waiveFee, WaiveFeeRequest, TransactionResponse),
    MakeAdjustment: by(makeAdjustment, MakeAdjustmentRequest, TransactionResponse),
    DisburseLoan: by(disburseLoan, DisburseLoanRequest, DisburseLoanResponse),
    WriteOffPart: by(LoanLedgerServiceService.writeOffPart, WriteOffPartRequest, PostingResponse),
  };
  return {
    async call({ method, message }, actor) {
      const ask = methods[method];
      if (!ask) throw new Error(`no request is executed by ${method}`);
      const answer = await ask(message, actor);
      if (answer.ok) return { ok: true, answer: answer.value };
      const failure = answer.refusal;
      switch (failure.kind) {
        case 'refused':
          return { ok: false, refusal: { code: failure.code, message: failure.message } };
        case 'unsupported':
          return {
            ok: false,
            refusal: { code: 'not_supported_by_ledger', message: `this ledger has no ${failure.method}` },
          };
        default:
          throw new NotAnswered(`the ledger has not answered: ${failure.kind}`);
      }
    },
  };
}
