// Decides what a command posts on a loan that is open, or why it posts nothing. No I/O, no clock.

import { type AmountFault, currencyExponent, parseAmount, parseBalance } from '../money.ts';
import { ok, type Result, refused } from '../result.ts';
import { allocate, orderFor } from './allocation.ts';
import type { Command, LedgerRefusal, RefusalCode, Terms } from './command.ts';
import { isDay } from './day.ts';
import type { Loan, LoanState } from './loan.ts';
import { least } from './minor.ts';
import type { Draft } from './position.ts';
import { type PostingRules, type Transfer, totalOf } from './posting.ts';
import { repayment, reversal } from './repayment.ts';

/** A transfer that is to be reversed, and what is known of it. */
export interface Original {
  transfer: Transfer;
  /** Undefined when none of it is reversed. */
  reversedBefore: bigint | undefined;
  companions: readonly Transfer[];
}

type Decided = Result<Draft[], LedgerRefusal>;
const no = (code: RefusalCode, message: string) => refused<LedgerRefusal>({ code, message });

const keyLimit = 300;
const idLimit = 200;

/** What is wrong with a command whatever the loan. */
export function unreadable(command: Command): LedgerRefusal | undefined {
  if (command.key === '') return { code: 'key_missing', message: 'a command needs an idempotency key' };
  if (command.key.length > keyLimit)
    return { code: 'invalid_text', message: `a key has at most ${keyLimit} characters` };
  if (command.loanId === '' || command.loanId.length > idLimit)
    return { code: 'invalid_text', message: `the id of a loan has 1 to ${idLimit} characters` };
  const texts = Object.values('terms' in command ? { ...command, ...command.terms } : command);
  if (texts.some((text) => typeof text === 'string' && text.includes('\0')))
    return { code: 'invalid_text', message: 'a text has a character that cannot be kept' };
  return undefined;
}

export function loanOf(loanId: string, terms: Terms, rules: PostingRules): Result<Loan, LedgerRefusal> {
  const { currency } = terms;
  if (!isCurrency(currency)) return no('currency_mismatch', 'there is no such currency');
  const principal = parseAmount(terms.principal, currency);
  if (!principal.ok) return amountRefused(principal.refusal, 'principal');
  const fee = parseBalance(terms.establishmentFee, currency);
  if (!fee.ok) return amountRefused(fee.refusal, 'establishment fee');
  if (fee.value.amountMinor < 0n) return amountRefused('not_positive', 'establishment fee');
  const total = terms.totalRepayable === undefined ? undefined : parseBalance(terms.totalRepayable, currency);
  if (total && !total.ok) return amountRefused(total.refusal, 'total repayable');
  if (
    !Number.isInteger(terms.interestRateBps) ||
    terms.interestRateBps < 0 ||
    terms.interestRateBps > 1_000_000
  )
    return no('invalid_amount', 'the interest rate is a whole number of basis points, at most 1000000');
  if (!isDay(terms.openedOn)) return no('invalid_date', 'the day of opening is no date');
  const beyond = (total?.value.amountMinor ?? 0n) - principal.value.amountMinor - fee.value.amountMinor;
  return ok({
    loanId,
    accountNumber: terms.accountNumber,
    customerId: terms.customerId,
    applicationNumber: terms.applicationNumber,
    currency,
    principal: principal.value.amountMinor,
    establishmentFee: fee.value.amountMinor,
    scheduledInterest: beyond > 0n ? beyond : 0n,
    interestRateBps: terms.interestRateBps,
    openedOn: terms.openedOn,
    product: terms.product,
    openedAt: rules.now,
  });
}

/** The money goes out, and what the terms charge for it becomes due. */
export function disbursement(loan: Loan, effectiveOn: string, said: Partial<Draft>): Draft[] {
  const drafts: Draft[] = [
    {
      ...said,
      kind: 'disbursement',
      effectiveOn,
      entries: { principal: loan.principal, cash: -loan.principal },
    },
  ];
  if (loan.establishmentFee > 0n)
    drafts.push({
      kind: 'establishment_fee',
      effectiveOn,
      entries: { fees: loan.establishmentFee, income: -loan.establishmentFee },
    });
  if (loan.scheduledInterest > 0n)
    drafts.push({
      kind: 'interest',
      effectiveOn,
      entries: { interest: loan.scheduledInterest, income: -loan.scheduledInterest },
    });
  return drafts;
}

/** One to three drafts. `original` is what a reversal names, undefined when this loan has no such transfer. */
export function decide(
  state: LoanState,
  command: Exclude<Command, { kind: 'open' }>,
  rules: PostingRules,
  original?: Original | undefined,
): Decided {
  const { loan, position } = state;
  const { currency } = loan;
  const { balances, chargesOpen } = position;
  const owed = totalOf(balances);
  if ('currency' in command && command.currency !== undefined && command.currency !== currency)
    return no('currency_mismatch', `the loan is in ${currency}`);
  switch (command.kind) {
    case 'disbursement': {
      const amount = command.amount === undefined ? undefined : parseAmount(command.amount, currency);
      if (amount && !amount.ok) return amountRefused(amount.refusal);
      const effect = effectOf(command.effectiveOn, loan, rules);
      if (!effect.ok) return effect;
      if (position.disbursed > 0n) return no('already_disbursed', 'the loan has been disbursed');
      if (amount && amount.value.amountMinor !== loan.principal)
        return no('amount_differs_from_terms', 'the loan was agreed with another amount');
      const { method, notes, bankReference, attachment } = command;
      const said = {
        reference: filled(bankReference),
        facts: { method: filled(method), notes: filled(notes), attachment: filled(attachment) },
        warning: effect.value.warning,
      };
      return ok(disbursement(loan, effect.value.on, said));
    }
    case 'repayment': {
      const amount = parseAmount(command.amount, currency);
      if (!amount.ok) return amountRefused(amount.refusal);
      const effect = effectOf(command.effectiveOn, loan, rules);
      if (!effect.ok) return effect;
      const { targetInstalment: target, scheduleId, paymentId, reference, method, notes } = command;
      const otherSchedule = scheduleId !== undefined && scheduleId !== position.scheduleId;
      if (
        target !== undefined &&
        (otherSchedule || !state.instalments.some(({ number }) => number === target))
      )
        return no('unknown_instalment', `the loan's schedule has no instalment ${target}`);
      const warnings = [effect.value.warning, otherSchedule ? 'another schedule holds' : undefined];
      return ok([
        repayment(state, amount.value.amountMinor, orderFor(loan.product, rules.orders), {
          effectiveOn: effect.value.on,
          target,
          paymentId: filled(paymentId),
          reference: filled(reference),
          facts: { method: filled(method), notes: filled(notes), scheduleId: position.scheduleId },
          warning: warnings.filter((one) => one !== undefined).join('; ') || undefined,
        }),
      ]);
    }
    case 'late_fee':
    case 'dishonour_fee': {
      const amount = parseAmount(command.amount, currency);
      if (!amount.ok) return amountRefused(amount.refusal);
      if (position.disbursed === 0n) return no('not_disbursed', 'the loan is not disbursed');
      const fee = amount.value.amountMinor;
      return ok([
        {
          kind: command.kind,
          effectiveOn: rules.today,
          entries: { fees: fee, income: -fee },
          charges: fee,
          reason: filled(command.reason),
          ...(command.kind === 'late_fee'
            ? { facts: { daysPastDue: command.daysPastDue } }
            : { reference: filled(command.reference) }),
        },
      ]);
    }
    case 'fee_waiver': {
      const amount = parseAmount(command.amount, currency);
      if (!amount.ok) return amountRefused(amount.refusal);
      const waived = amount.value.amountMinor;
      if (waived > balances.fees) return no('exceeds_fees', 'more than the fees that are owed');
      return ok([
        {
          kind: 'fee_waiver',
          effectiveOn: rules.today,
          entries: { fees: -waived, income: waived },
          charges: -least(chargesOpen, waived),
          reason: command.reason,
          facts: { approvedBy: filled(command.approvedBy), notes: filled(command.notes) },
        },
      ]);
    }
    case 'write_off': {
      const amount = command.amount === undefined ? undefined : parseAmount(command.amount, currency);
      if (amount && !amount.ok) return amountRefused(amount.refusal);
      if (owed === 0n) return no('nothing_owed', 'nothing is owed');
      const written = amount?.value.amountMinor ?? owed;
      if (written > owed) return no('exceeds_owed', 'more than is owed');
      const { fees, interest, principal } = allocate(written, balances, ['fees', 'interest', 'principal']);
      return ok([
        {
          kind: 'write_off',
          effectiveOn: rules.today,
          entries: { fees: -fees, interest: -interest, principal: -principal, write_off: written },
          charges: -least(chargesOpen, fees),
          reason: command.reason,
          facts: { approvedBy: filled(command.approvedBy) },
        },
      ]);
    }
    case 'adjustment': {
      const principal = parseBalance(command.principal, currency);
      if (!principal.ok) return amountRefused(principal.refusal, 'principal');
      const fees = parseBalance(command.fees, currency);
      if (!fees.ok) return amountRefused(fees.refusal, 'fees');
      const delta = { principal: principal.value.amountMinor, fees: fees.value.amountMinor };
      if (delta.principal === 0n && delta.fees === 0n) return no('invalid_amount', 'it would change nothing');
      if (position.disbursed === 0n) return no('not_disbursed', 'the loan is not disbursed');
      if (balances.fees + delta.fees < 0n) return no('exceeds_fees', 'more than the fees that are owed');
      if (balances.principal + delta.principal < 0n)
        return no('exceeds_owed', 'more than the principal that is owed');
      return ok([
        {
          kind: 'adjustment',
          effectiveOn: rules.today,
          entries: { ...delta, income: -delta.principal - delta.fees },
          charges: delta.fees > 0n ? delta.fees : -least(chargesOpen, -delta.fees),
          reason: command.reason,
          facts: { approvedBy: filled(command.approvedBy) },
        },
      ]);
    }
    case 'reversal': {
      if (!original) return no('unknown_transfer', 'the loan has no such transfer');
      const amount =
        filled(command.amount) === undefined ? undefined : parseAmount(command.amount ?? '', currency);
      if (amount && !amount.ok) return amountRefused(amount.refusal);
      const effect = effectOf(command.effectiveOn, loan, rules);
      if (!effect.ok) return effect;
      const { transfer, reversedBefore, companions } = original;
      if (effect.value.on < transfer.effectiveOn)
        return no('invalid_date', `the transfer is effective as of ${transfer.effectiveOn}`);
      return reversal(state, transfer, reversedBefore, companions, {
        amount: amount?.value.amountMinor,
        effectiveOn: effect.value.on,
        reason: command.reason,
      });
    }
  }
}

const filled = (text: string | undefined) => (text === '' ? undefined : text);
const isCurrency = (text: string) => currencyExponent(text) !== undefined;

/** Money that came before the loan was opened counts from that day on. */
function effectOf(
  asked: string | undefined,
  { openedOn }: Loan,
  { today }: PostingRules,
): Result<{ on: string; warning?: string }, LedgerRefusal> {
  const on = filled(asked) ?? today;
  if (!isDay(on)) return no('invalid_date', 'the effective date is no date');
  if (on > today) return no('invalid_date', 'the effective date is in the future');
  return on < openedOn && asked !== undefined
    ? ok({ on: openedOn, warning: `the loan was opened on ${openedOn}, which is the effective date` })
    : ok({ on });
}

const amountFaults: Record<AmountFault, string> = {
  not_a_number: 'is no decimal number',
  not_positive: 'has to be above zero',
  too_large: 'has too many digits',
  too_many_decimals: 'has more decimals than its currency',
};
const amountRefused = (fault: AmountFault, what = 'amount') =>
  no('invalid_amount', `the ${what} ${amountFaults[fault]}`);
