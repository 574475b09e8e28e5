import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { allocate, cover, orderFor, parseOrders, sliceFromEnd, uncover } from './allocation.ts';
import type { Instalment, LoanState } from './loan.ts';
import { least } from './minor.ts';
import { noBalances, post } from './position.ts';
import type { AllocationOrder } from './posting.ts';
import { repayment, reversal } from './repayment.ts';
import { overdueOn, remainders } from './schedule.ts';

const minor = (max = 1_000_000) => fc.bigInt({ min: 0n, max: BigInt(max) });
const order = fc.shuffledSubarray(['fees', 'interest', 'principal'] as const, {
  minLength: 3,
}) as fc.Arbitrary<AllocationOrder>;
const now = new Date('2026-11-29T08:00:00Z');

const instalments = fc.array(fc.tuple(minor(5_000), minor(5_000)), { maxLength: 8 }).map((pairs) =>
  pairs.map(
    ([a, b], n): Instalment => ({
      number: n + 1,
      dueOn: `2026-11-${String(n + 1).padStart(2, '0')}`,
      amount: a + b + 1n,
      paid: a,
      paidOn: undefined,
      updatedAt: now,
    }),
  ),
);
const sum = (amounts: readonly bigint[]) => amounts.reduce((total, amount) => total + amount, 0n);

/** A loan somewhere in its life: whatever is owed, charged, written off and paid by schedule. */
const state = fc
  .record({
    principal: minor(),
    interest: minor(),
    scheduledFees: minor(),
    charges: minor(),
    writeOff: minor(),
    beyond: minor(1_000),
    instalments,
  })
  .map((some): LoanState => {
    const balances = {
      ...noBalances(),
      principal: some.principal,
      interest: some.interest,
      fees: some.scheduledFees + some.charges,
      write_off: some.writeOff,
    };
    const paid = sum(some.instalments.map((one) => one.paid));
    const isFull = some.instalments.every((one) => one.paid === one.amount);
    return {
      loan: {
        loanId: 'L',
        accountNumber: '',
        customerId: '',
        applicationNumber: '',
        currency: 'AUD',
        principal: 1n,
        establishmentFee: 0n,
        scheduledInterest: 0n,
        interestRateBps: 500,
        openedOn: '2026-10-01',
        product: '',
        openedAt: now,
      },
      position: {
        version: 7,
        balances: { ...balances, income: -sum(Object.values(balances)) },
        disbursed: 1n,
        chargesOpen: some.charges,
        scheduledPaid: paid + (isFull ? some.beyond : 0n),
        accrualBase: 12_345n,
        accrued: 0n,
        closedOn: '2026-11-20',
        scheduleId: 'S',
        updatedAt: now,
      },
      instalments: some.instalments,
    };
  });

const said = (n: number) => ({
  id: `00000000-0000-0000-0000-${String(n).padStart(12, '0')}`,
  actor: 'a',
  now,
});
function done<T>(result: { ok: true; value: T } | { ok: false; refusal: unknown }): T {
  if (!result.ok) throw new Error(JSON.stringify(result.refusal));
  return result.value;
}

test('parts and rest come to the amount, and nothing later in the order is paid before what comes first', () => {
  fc.assert(
    fc.property(
      minor(),
      fc.record({ fees: minor(), interest: minor(), principal: minor() }),
      order,
      (amount, owed, sequence) => {
        const parts = allocate(amount, owed, sequence);
        expect(parts.fees + parts.interest + parts.principal + parts.rest).toBe(amount);
        let isOpen = false;
        for (const part of [...sequence, 'rest'] as const) {
          if (isOpen) expect(parts[part]).toBe(0n);
          if (part !== 'rest') {
            expect(parts[part] <= owed[part]).toBe(true);
            isOpen ||= parts[part] < owed[part];
          }
        }
      },
    ),
  );
});

test('instalments are covered oldest first, the one that is meant before them, and none beyond its amount', () => {
  fc.assert(
    fc.property(
      minor(50_000),
      instalments,
      fc.option(fc.integer({ min: 1, max: 9 })),
      (amount, some, target) => {
        const lines = cover(amount, some, target ?? undefined);
        const room = sum(some.map((one) => one.amount - one.paid));
        expect(sum(lines.map((line) => line.applied))).toBe(least(amount, room));
        expect(lines.every((line) => line.applied > 0n && line.remaining >= 0n)).toBe(true);
        // All but the last are paid.
        expect(lines.slice(0, -1).every((line) => line.remaining === 0n)).toBe(true);
        const numbers = lines.map((line) => line.number).filter((number) => number !== target);
        expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
      },
    ),
  );
});

test('slices that touch come to the whole', () => {
  fc.assert(
    fc.property(
      fc.array(minor(100), { maxLength: 6 }),
      fc.array(minor(200), { maxLength: 4 }),
      (amounts, cuts) => {
        const all = sum(amounts);
        const edges = [0n, ...cuts.filter((cut) => cut < all).toSorted((a, b) => Number(a - b)), all];
        const slices = edges.slice(1).map((edge, n) => sliceFromEnd(amounts, edges[n] as bigint, edge));
        for (const [n, slice] of slices.entries())
          expect(sum(slice)).toBe((edges[n + 1] as bigint) - (edges[n] as bigint));
        expect(amounts.map((_, n) => sum(slices.map((slice) => slice[n] as bigint)))).toEqual(amounts);
      },
    ),
  );
});

test('a repayment is balanced, and its parts taken back one after the other bring back what was', () => {
  fc.assert(
    fc.property(
      state,
      fc.bigInt({ min: 1n, max: 4_000_000n }),
      order,
      fc.option(fc.integer({ min: 1, max: 8 })),
      fc.array(fc.bigInt({ min: 1n, max: 1_000_000n }), { maxLength: 5 }),
      (before, amount, sequence, target, parts) => {
        const draft = repayment(before, amount, sequence, {
          effectiveOn: '2026-11-10',
          target: target ?? undefined,
          facts: { scheduleId: 'S' },
        });
        const paid = done(post(before, draft, said(1)));
        expect(sum(Object.values(paid.transfer.entries))).toBe(0n);
        const applied = sum(paid.transfer.instalments.map((line) => line.applied));
        const room = sum(before.instalments.map((one) => one.amount - one.paid));
        const { scheduled } = paid.transfer;
        expect(applied).toBe(least(scheduled, room));

        let after = paid.state;
        let taken = 0n;
        for (const [n, part] of [...parts, amount].entries()) {
          const left = amount - taken;
          const some = least(part, left);
          if (some === 0n) continue;
          const [reversed] = done(
            reversal(after, paid.transfer, taken, [], {
              amount: some,
              effectiveOn: '2026-11-10',
              reason: 'r',
            }),
          );
          const step = done(post(after, reversed as NonNullable<typeof reversed>, said(2 + n)));
          expect(sum(Object.values(step.transfer.entries))).toBe(0n);
          after = step.state;
          taken += some;
        }
        const { position } = after;
        expect(position.balances).toEqual(before.position.balances);
        expect([position.chargesOpen, position.scheduledPaid, position.accrualBase]).toEqual([
          before.position.chargesOpen,
          before.position.scheduledPaid,
          before.position.accrualBase,
        ]);
        expect(after.instalments.map((one) => one.paid)).toEqual(before.instalments.map((one) => one.paid));
      },
    ),
  );
});

test('what instalments still ask for is what is owed by schedule, oldest first', () => {
  fc.assert(
    fc.property(instalments, minor(60_000), (some, owed) => {
      const remaining = remainders(some, owed);
      const room = sum(some.map((one) => one.amount - one.paid));
      expect(sum(remaining)).toBe(least(owed, room));
      const { overdue, daysPastDue, oldest } = overdueOn(some, owed, '2026-11-05');
      expect(overdue).toBe(sum(remaining.filter((_, n) => n < 4)));
      expect(daysPastDue > 0).toBe(overdue > 0n);
      expect(oldest !== undefined).toBe(overdue > 0n);
    }),
  );
});

test('what was paid under another schedule is taken back from the newest instalments', () => {
  const some = [1, 2].map(
    (number): Instalment => ({
      number,
      dueOn: `2026-11-0${number}`,
      amount: 100n,
      paid: 60n,
      updatedAt: now,
    }),
  );
  expect(uncover(100n, some, [{ number: 9, applied: 100n }])).toMatchObject([
    { number: 2, applied: -60n, remaining: 100n },
    { number: 1, applied: -40n, remaining: 80n },
  ]);
});

describe('the order of allocation', () => {
  test('is a setting of each product, and fees, interest, principal for others', () => {
    const orders = parseOrders('gold=principal,interest,fees; plain = fees , interest,principal');
    if (!orders.ok) throw new Error(orders.refusal);
    expect(orderFor('gold', orders.value)).toEqual(['principal', 'interest', 'fees']);
    expect(orderFor('plain', orders.value)).toEqual(['fees', 'interest', 'principal']);
    expect(orderFor('toString', orders.value)).toEqual(['fees', 'interest', 'principal']);
    expect(parseOrders('')).toEqual({ ok: true, value: {} });
  });
  test.each(['gold', 'gold=fees', 'gold=fees,fees,principal', '=fees,interest,principal', 'a=b=c'])(
    'is not %s',
    (text) => expect(parseOrders(text).ok).toBe(false),
  );
});
