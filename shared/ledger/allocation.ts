// Where the money of a repayment goes: to what is owed, in the product's order, and to the instalments it covers, the
// oldest first. To the cent: parts and rest come to the amount. Of a repayment that is taken back in part, what was
// allocated last goes first, so that all parts together bring back what was before.

import { ok, type Result, refused } from '../result.ts';
import type { Instalment } from './loan.ts';
import { least } from './minor.ts';
import type { AllocationOrder, AppliedInstalment, Owed } from './posting.ts';

const usualOrder: AllocationOrder = ['fees', 'interest', 'principal'];

export const orderFor = (
  product: string,
  orders: Readonly<Record<string, AllocationOrder>>,
): AllocationOrder => (Object.hasOwn(orders, product) ? orders[product] : undefined) ?? usualOrder;

/** Reads "product=fees,interest,principal" separated by semicolons; refuses with what is wrong. */
export function parseOrders(text: string): Result<Record<string, AllocationOrder>, string> {
  const orders: Record<string, AllocationOrder> = {};
  for (const entry of text.split(';').filter((part) => part.trim() !== '')) {
    const [product = '', list = '', ...more] = entry.split('=').map((part) => part.trim());
    const order = list.split(',').map((part) => part.trim());
    if (product === '' || more.length > 0 || order.toSorted().join() !== usualOrder.toSorted().join())
      return refused(`"${entry.trim()}" is not product=fees,interest,principal in some order`);
    orders[product] = order as unknown as AllocationOrder;
  }
  return ok(orders);
}

/** `rest` is what nothing was owed for. */
export function allocate(amount: bigint, owed: Owed, order: AllocationOrder): Owed & { rest: bigint } {
  const parts = { fees: 0n, interest: 0n, principal: 0n, rest: amount };
  for (const part of order) {
    parts[part] = least(parts.rest, owed[part]);
    parts.rest -= parts[part];
  }
  return parts;
}

/** The target first, where there is one. Instalments are the oldest first. What none has room for is left out. */
export function cover(
  amount: bigint,
  instalments: readonly Instalment[],
  target?: number | undefined,
): AppliedInstalment[] {
  const first = instalments.filter(({ number }) => number === target);
  const others = instalments.filter(({ number }) => number !== target);
  const lines: AppliedInstalment[] = [];
  let left = amount;
  for (const { number, dueOn, amount: due, paid } of [...first, ...others]) {
    const applied = least(left, due - paid);
    if (applied === 0n) continue;
    left -= applied;
    lines.push({ number, dueOn, amount: due, applied, remaining: due - paid - applied });
  }
  return lines;
}

/**
 * Takes `amount` back from instalments: from those of `before` (a line each, as they were covered), the last first, as
 * far as they have it still; what these lack from others, the newest first. Amounts of the lines are below zero.
 */
export function uncover(
  amount: bigint,
  instalments: readonly Instalment[],
  before: readonly { number: number; applied: bigint }[],
): AppliedInstalment[] {
  const taken = new Map<number, bigint>();
  let left = amount;
  const take = (number: number, atMost: bigint) => {
    const instalment = instalments.find((one) => one.number === number);
    if (!instalment) return;
    const some = least(left, least(atMost, instalment.paid - (taken.get(number) ?? 0n)));
    if (some === 0n) return;
    taken.set(number, (taken.get(number) ?? 0n) + some);
    left -= some;
  };
  for (const { number, applied } of before.toReversed()) take(number, applied);
  for (const { number, amount: due } of instalments.toReversed()) take(number, due);
  return [...taken].map(([number, some]) => {
    const { dueOn, amount: due, paid } = instalments.find((one) => one.number === number) as Instalment;
    return { number, dueOn, amount: due, applied: -some, remaining: due - paid + some };
  });
}

/**
 * The part of a line of amounts from `from` to `to`, both counted from its end: what of each amount lies there. Parts
 * that touch come to the whole.
 */
export function sliceFromEnd(amounts: readonly bigint[], from: bigint, to: bigint): bigint[] {
  let passed = 0n;
  return amounts
    .toReversed()
    .map((amount) => {
      const start = passed > from ? passed : from;
      passed += amount;
      const end = least(passed, to);
      return end > start ? end - start : 0n;
    })
    .toReversed();
}
