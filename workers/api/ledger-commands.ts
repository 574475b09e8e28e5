// What staff have the ledger do. Nothing is queued: first the loan is looked at there, so that a ledger that is away is told
// before anything was sent; then it is decided, once for each key, whether the caller may do this alone; then it is sent under a
// key of the ledger's that follows from the caller and their key, so that it happens once however often it is sent.

import { Hono } from 'hono';
import type * as z from 'zod/mini';
import { askCommand } from '../../shared/approvals/ask-command.ts';
import type { LoanFacts } from '../../shared/approvals/request.ts';
import { sha256 } from '../../shared/id.ts';
import { callOf, type StaffCommand } from '../../shared/ledger/staff-command.ts';
import { type AmountFault, formatAmount, parseAmount, parseBalance } from '../../shared/money.ts';
import { requestHash } from '../../shared/operations/idempotency-key.ts';
import { readApprovalRequest } from '../../shared/read/approval-requests.ts';
import { ok, type Result, refused } from '../../shared/result.ts';
import type { Permission } from '../../shared/staff/permissions.ts';
import { type RequestContext, refuse, type Scope } from '../app.ts';
import { actorOf, askedDatabase } from '../caller.ts';
import type { ApiSettings } from './env.ts';
import { callLedger, ledgerProblems, type Message, refuseLedger } from './ledger-gateway.ts';
import { anyName, factsOf, loanNamed, presentBalance } from './ledger-loan.ts';
import { isReplay, shownPosting } from './ledger-messages.ts';
import { keyHeader } from './once.ts';
import { route } from './route.ts';
import {
  adjustmentAsked,
  approvalRequest,
  disbursementAsked,
  dishonourFeeAsked,
  lateFeeAsked,
  posted,
  repaymentAsked,
  requiredKey,
  waiverAsked,
  writeOffAsked,
} from './shapes/ledger.ts';
import { unnamedReads } from './sight.ts';

type C = RequestContext<ApiSettings>;

export interface FieldFault {
  field: string;
  code: string;
  message: string;
}

/** The command that a body asks for, of a loan as it is now. */
export type Build<B> = (body: B, facts: LoanFacts, accountId: string) => Result<StaffCommand, FieldFault>;

export type Done =
  | { kind: 'posted'; accountId: string; currency: string; message: Message }
  | { kind: 'request'; id: string };

/** Has the ledger do it, or a second person asked; or the answer why not. `understood` is what the key stands for. */
export async function command<B extends { currency?: string | null | undefined }>(
  c: C,
  name: string,
  body: B,
  build: Build<B>,
): Promise<Result<Done, Response>> {
  const key = keyHeader(c);
  if (!key.ok) return key;
  if (key.value === undefined) return refused(refuse(c, 'idempotency_key_required'));
  const loan = await loanNamed(c, name);
  if (!loan.ok) return loan;
  const { accountId, customerId } = loan.value;
  const balance = await presentBalance(c, loan.value);
  if (!balance.ok) return refused(refuseLedger(c, balance.refusal, accountId));
  const facts = factsOf(balance.value);
  if (body.currency && body.currency !== facts.currency) {
    const fault = { field: 'currency', code: 'currency_mismatch', message: `expected ${facts.currency}` };
    return refused(refuse(c, 'invalid_request', { errors: [fault] }));
  }
  const built = build(body, facts, accountId);
  if (!built.ok) return refused(refuse(c, 'invalid_request', { errors: [built.refusal] }));

  const caller = c.get('caller');
  const actor = actorOf(caller);
  const request = await requestHash([built.value.kind, accountId, body]);
  const bound = { actor, key: key.value, request };
  const lastingHours = c.get('settings').approvalHours;
  const asked = await askCommand(askedDatabase(c), caller, bound, {
    command: built.value,
    ...{ facts, customerId, lastingHours },
  });
  if (!asked.ok) {
    const code = asked.refusal === 'key_reused' ? 'idempotency_key_reused' : 'person_required';
    return refused(refuse(c, code));
  }
  if (asked.value.kind === 'request') {
    const { id, isNew } = asked.value;
    c.get('log').info('approval_request', { kind: built.value.kind, id, new: isNew });
    if (!isNew) c.header('idempotency-replayed', 'true');
    return ok({ kind: 'request', id });
  }
  return send(c, asked.value.command, { actor, key: key.value });
}

async function send(
  c: C,
  command: StaffCommand,
  { actor, key }: { actor: string; key: string },
): Promise<Result<Done, Response>> {
  const { accountId, currency, kind } = command;
  // All of nothing.
  if (kind === 'write_off' && !/[1-9]/.test(command.amount)) {
    return refused(refuse(c, 'ledger_refused', { members: { reason: 'nothing_owed' } }));
  }
  const said = { key: `staff:${await sha256(JSON.stringify([actor, key]))}`, actor, approvedBy: actor };
  const answered = await callLedger(c, callOf(command, said), { changes: true });
  const outcome = answered.ok ? 'posted' : answered.refusal.kind;
  c.get('log').info('ledger_command', { kind, outcome });
  if (!answered.ok) return refused(refuseLedger(c, answered.refusal, accountId));
  if (isReplay(answered.value)) c.header('idempotency-replayed', 'true');
  return ok({ kind: 'posted', accountId, currency, message: answered.value });
}

const faults: Record<AmountFault, string> = {
  not_a_number: 'expected a decimal',
  not_positive: 'expected more than zero',
  too_large: 'is too large',
  too_many_decimals: 'has more decimals than its currency',
};

/** Decimal text with the currency's decimals, or what is wrong with the field. */
export function exactly(
  text: string,
  currency: string,
  field: string,
  read: typeof parseAmount = parseAmount,
): Result<string, FieldFault> {
  const money = read(text, currency);
  if (money.ok) return ok(formatAmount(money.value));
  return refused({ field, code: money.refusal, message: faults[money.refusal] });
}

const given = <T>(value: T | null | undefined): T | undefined => value ?? undefined;

const buildRepayment: Build<z.output<typeof repaymentAsked>> = (body, { currency }, accountId) => {
  const amount = exactly(body.amount, currency, 'amount');
  if (!amount.ok) return amount;
  return ok({
    kind: 'repayment',
    ...{ accountId, currency, amount: amount.value },
    paymentMethod: given(body.paymentMethod),
    reference: given(body.reference),
    notes: given(body.notes),
    targetInstalment: given(body.targetInstalment),
    scheduleId: given(body.scheduleId),
  });
};

const buildLateFee: Build<z.output<typeof lateFeeAsked>> = (body, { currency }, accountId) => {
  const amount = exactly(body.amount, currency, 'amount');
  if (!amount.ok) return amount;
  const { daysPastDue } = body;
  return ok({
    kind: 'late_fee',
    ...{ accountId, currency, amount: amount.value, daysPastDue, reason: given(body.reason) },
  });
};

const buildDishonourFee: Build<z.output<typeof dishonourFeeAsked>> = (body, { currency }, accountId) => {
  const amount = exactly(body.amount, currency, 'amount');
  if (!amount.ok) return amount;
  return ok({
    kind: 'dishonour_fee',
    ...{ accountId, currency, amount: amount.value },
    ...{ reason: given(body.reason), reference: given(body.reference) },
  });
};

/** One waiver of all the fees together; its notes say which they are. */
const buildWaiver: Build<z.output<typeof waiverAsked>> = (body, { currency }, accountId) => {
  let amountMinor = 0n;
  const named: string[] = [];
  for (const [n, fee] of body.fees.entries()) {
    const money = parseAmount(fee.amount, currency);
    if (!money.ok) {
      const field = `fees.${n}.amount`;
      return refused({ field, code: money.refusal, message: faults[money.refusal] });
    }
    amountMinor += money.value.amountMinor;
    if (fee.transactionId) named.push(`${fee.transactionId}: ${formatAmount(money.value)}`);
  }
  return ok({
    kind: 'fee_waiver',
    ...{ accountId, currency, amount: formatAmount({ amountMinor, currency }), reason: body.reason },
    notes: named.length > 0 ? named.join(', ') : undefined,
  });
};

const buildWriteOff: Build<z.output<typeof writeOffAsked>> = (body, facts, accountId) => {
  const { currency, totalOutstanding } = facts;
  const amount = body.amount
    ? exactly(body.amount, currency, 'amount')
    : exactly(totalOutstanding, currency, 'amount', parseBalance);
  if (!amount.ok) return amount;
  return ok({ kind: 'write_off', accountId, currency, amount: amount.value, reason: body.reason });
};

const buildAdjustment: Build<z.output<typeof adjustmentAsked>> = (body, { currency }, accountId) => {
  const principal = exactly(body.principalDelta, currency, 'principalDelta', parseBalance);
  if (!principal.ok) return principal;
  const fees = exactly(body.feeDelta, currency, 'feeDelta', parseBalance);
  if (!fees.ok) return fees;
  const isNothing = !/[1-9]/.test(principal.value + fees.value);
  if (isNothing) return refused({ field: 'principalDelta', code: 'nothing', message: 'adjusts nothing' });
  return ok({
    kind: 'adjustment',
    ...{ accountId, currency, principalDelta: principal.value, feeDelta: fees.value, reason: body.reason },
  });
};

const buildDisbursement: Build<z.output<typeof disbursementAsked>> = (body, { currency }, accountId) => {
  const amount = exactly(body.amount, currency, 'amount');
  if (!amount.ok) return amount;
  const { bankReference, paymentMethod, reason } = body;
  return ok({
    kind: 'disbursement',
    ...{ accountId, currency, amount: amount.value, bankReference, paymentMethod, reason },
    attachmentLocation: given(body.attachmentLocation),
  });
};

export const builds = {
  repayment: buildRepayment,
  lateFee: buildLateFee,
  dishonourFee: buildDishonourFee,
  waiver: buildWaiver,
};

export const commandProblems = [
  'idempotency_key_required',
  'idempotency_key_reused',
  ...ledgerProblems,
  'outcome_unknown',
] as const;

const common = { tag: 'Ledger', headers: requiredKey } as const;
/** Done alone by whoever may. */
const plain = (permission: Permission) =>
  ({
    ...common,
    permission,
    description: anyName,
    answers: { 201: posted },
    problems: commandProblems,
  }) as const;
/** Beyond the caller's limit it becomes a request. */
const limited = (permission: Permission) =>
  ({
    ...common,
    permission,
    description: `${anyName} Beyond the limit of the caller's roles it is answered 202 with a request, which another person decides.`,
    answers: { 201: posted, 202: approvalRequest },
    problems: [...commandProblems, 'person_required'],
  }) as const;

async function answer<B extends { currency?: string | null | undefined }>(
  c: C,
  body: B,
  build: Build<B>,
): Promise<Response> {
  const done = await command(c, c.req.param('id') as string, body, build);
  if (!done.ok) return done.refusal;
  if (done.value.kind === 'posted') {
    const { accountId, currency, message } = done.value;
    return c.json({ accountId, currency, ...shownPosting(message) }, 201);
  }
  const { id } = done.value;
  c.header('location', `/api/v1/approval-requests/${id}`);
  return c.json(await readApprovalRequest(unnamedReads(c), id), 202);
}

export const ledgerCommandRoutes = new Hono<Scope<ApiSettings>>()
  .post(
    ...route(
      '/:id/repayment',
      { ...plain('ledger:repay'), summary: 'Records a repayment', body: repaymentAsked },
      (c) => answer(c, c.req.valid('json'), buildRepayment),
    ),
  )
  .post(
    ...route(
      '/:id/late-fee',
      { ...plain('ledger:fees'), summary: 'Charges a late fee', body: lateFeeAsked },
      (c) => answer(c, c.req.valid('json'), buildLateFee),
    ),
  )
  .post(
    ...route(
      '/:id/dishonour-fee',
      { ...plain('ledger:fees'), summary: 'Charges a dishonour fee', body: dishonourFeeAsked },
      (c) => answer(c, c.req.valid('json'), buildDishonourFee),
    ),
  )
  .post(
    ...route(
      '/:id/waive-fee',
      { ...limited('ledger:waive'), summary: 'Waives one or many fees', body: waiverAsked },
      (c) => answer(c, c.req.valid('json'), buildWaiver),
    ),
  )
  .post(
    ...route(
      '/:id/write-off',
      { ...limited('ledger:write-off'), summary: 'Writes off what is owed, or a part', body: writeOffAsked },
      (c) => answer(c, c.req.valid('json'), buildWriteOff),
    ),
  )
  .post(
    ...route(
      '/:id/adjustment',
      { ...limited('ledger:adjust'), summary: 'Adjusts principal and fees', body: adjustmentAsked },
      (c) => answer(c, c.req.valid('json'), buildAdjustment),
    ),
  )
  .post(
    ...route(
      '/:id/disburse',
      { ...limited('ledger:disburse'), summary: 'Disburses a loan', body: disbursementAsked },
      (c) => answer(c, c.req.valid('json'), buildDisbursement),
    ),
  );
