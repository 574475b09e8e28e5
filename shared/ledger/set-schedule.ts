// Sets a loan's schedule, before or after the loan is opened. Of two schedules the one that was made later holds,
// whichever comes first; what has been paid by schedule is applied to it anew, oldest instalment first. The same again
// changes nothing.

import type { TransactionalDatabase } from '../database.ts';
import { currencyExponent, parseAmount } from '../money.ts';
import { ok, type Result, refused } from '../result.ts';
import { cover } from './allocation.ts';
import type { LedgerRefusal, RefusalCode } from './command.ts';
import { isDay } from './day.ts';
import type { Instalment } from './loan.ts';
import { findSchedule, replaceSchedule } from './schedule-store.ts';
import { lockLoans, lockOpenings } from './store.ts';

export interface SchedulePlan {
  loanId: string;
  scheduleId: string;
  currency: string;
  madeAt: Date;
  actor: string;
  /** Amounts as decimal text. */
  instalments: readonly { number: number; dueOn: string; amount: string }[];
}

const no = (code: RefusalCode, message: string) => refused<LedgerRefusal>({ code, message });
const lockTimeoutMs = 5_000;
const instalmentsLimit = 5_000;
const numberLimit = 2_147_483_647;

/** `holds` is false when a later one does. Throws DatabaseFault, and then nothing is set; safe to repeat. */
export async function setSchedule(
  db: TransactionalDatabase,
  plan: SchedulePlan,
  now: Date,
): Promise<Result<{ holds: boolean }, LedgerRefusal>> {
  const instalments = read(plan, now);
  if (!instalments.ok) return instalments;
  const { loanId, scheduleId, currency } = plan;
  return db.transaction(async (tx) => {
    await lockOpenings(tx, [loanId]);
    const known = (await lockLoans(tx, [loanId], lockTimeoutMs)).get(loanId);
    if (known && known.loan.currency !== currency)
      return no('currency_mismatch', `the loan is in ${known.loan.currency}`);
    const latest = await findSchedule(tx, loanId, currency);
    if (latest?.scheduleId === scheduleId && plan.madeAt <= latest.madeAt)
      return ok({ holds: plan.madeAt.getTime() === latest.madeAt.getTime() });
    const isLatest =
      latest === undefined ||
      plan.madeAt > latest.madeAt ||
      (plan.madeAt.getTime() === latest.madeAt.getTime() && scheduleId > latest.scheduleId);
    const paid =
      isLatest && known ? applied(instalments.value, known.position.scheduledPaid, now) : instalments.value;
    await replaceSchedule(tx, plan, paid, now, isLatest && known !== undefined);
    return ok({ holds: isLatest });
  });
}

function read(plan: SchedulePlan, now: Date): Result<Instalment[], LedgerRefusal> {
  const { loanId, scheduleId, currency } = plan;
  if ([loanId, scheduleId].some((id) => id === '' || id.length > 200 || id.includes('\0')))
    return no('invalid_text', 'the id of a loan or schedule has 1 to 200 characters');
  if (currencyExponent(currency) === undefined) return no('currency_mismatch', 'there is no such currency');
  if (plan.instalments.length > instalmentsLimit)
    return no('invalid_text', `a schedule has at most ${instalmentsLimit} instalments`);
  const instalments: Instalment[] = [];
  for (const { number, dueOn, amount: text } of plan.instalments) {
    const amount = parseAmount(text, currency);
    if (!amount.ok) return no('invalid_amount', `the amount of instalment ${number} cannot be used`);
    if (!isDay(dueOn)) return no('invalid_date', `the due date of instalment ${number} is no date`);
    if (!Number.isInteger(number) || number < 1 || number > numberLimit)
      return no('unknown_instalment', 'instalments are numbered from 1');
    instalments.push({
      number,
      dueOn,
      amount: amount.value.amountMinor,
      paid: 0n,
      paidOn: undefined,
      updatedAt: now,
    });
  }
  if (new Set(instalments.map(({ number }) => number)).size < instalments.length)
    return no('unknown_instalment', 'two instalments have one number');
  return ok(instalments.toSorted(oldestFirst));
}

const oldestFirst = (a: Instalment, b: Instalment) =>
  a.dueOn === b.dueOn ? a.number - b.number : a.dueOn < b.dueOn ? -1 : 1;

/** An instalment that is paid thereby was paid when the schedule was set, as far as anybody can tell. */
function applied(instalments: readonly Instalment[], scheduledPaid: bigint, now: Date): Instalment[] {
  const lines = new Map(cover(scheduledPaid, instalments).map((line) => [line.number, line]));
  return instalments.map((instalment) => {
    const line = lines.get(instalment.number);
    if (!line) return instalment;
    return {
      ...instalment,
      paid: line.applied,
      paidOn: line.remaining === 0n ? now.toISOString().slice(0, 10) : undefined,
    };
  });
}
