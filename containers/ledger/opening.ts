// Opens loans, disburses them and sets schedules as servicing events tell, from the streams that the projector reads,
// through a consumer group of its own: what was read and not done is read again, and doing it again changes nothing. A
// schedule, and that a loan was paid out, may come before the loan. What is no such event, cannot be read or is refused
// is passed by and counted.

import { calendarDate } from '../../shared/calendar-date.ts';
import { type Database, DatabaseFault } from '../../shared/database.ts';
import type { Command, LedgerRefusal } from '../../shared/ledger/command.ts';
import { payoutOf, tellPayout } from '../../shared/ledger/payouts.ts';
import type { Answer } from '../../shared/ledger/posting.ts';
import type { SchedulePlan } from '../../shared/ledger/set-schedule.ts';
import { errorFields, type Log } from '../../shared/log.ts';
import type { Result } from '../../shared/result.ts';
import type { Business, Claim } from '../../shared/servicing/event-type.ts';
import { readEvent } from '../../shared/servicing/read-event.ts';
import { type Fields, readEnvelope } from '../../shared/stream/envelope.ts';
import { openRedisGroup, type RawEntry } from '../redis-group.ts';
import type { Part } from '../run-container.ts';

const group = 'ledger-opening';
const actor = 'job:opening';
const batchSize = 200;
const blockMs = 250;
const claimAfterMs = 60_000;
const callTimeoutMs = 10_000;
/** How often what other readers have left is looked for. */
const claimEveryMs = 10_000;

export interface OpeningOptions {
  db: Database;
  url: string;
  streams: readonly string[];
  consumer: string;
  business: Business;
  submit: (command: Command) => Promise<Answer>;
  setSchedule: (schedule: SchedulePlan) => Promise<Result<unknown, LedgerRefusal>>;
  log: Log;
}

interface Payout {
  loanId: string;
  effectiveOn: string;
}
type Opening = Extract<Command, { kind: 'open' }>;
type Deed = { open: Opening } | { schedule: SchedulePlan } | { payout: Payout };

export function opening({ streams, business, submit, setSchedule, db, log, ...options }: OpeningOptions) {
  const redis = openRedisGroup({ url: options.url, streams, group, consumer: options.consumer });
  const totals = { opened: 0, scheduled: 0, disbursed: 0, passed: 0, refused: 0 };
  const claimFrom = new Map<string, string>();
  /** What this reader has not done is read once more at the beginning and after a fault. */
  let readsOwn = true;
  let claimAt = 0;

  const next = async (): Promise<[stream: string, entry: RawEntry][]> => {
    const flat = (raw: Awaited<ReturnType<typeof redis.read>>) =>
      raw.flatMap(([stream, entries]) => entries.map((entry): [string, RawEntry] => [stream, entry]));
    if (readsOwn) {
      const own = flat(
        await redis.read(
          streams.map(() => '0'),
          batchSize,
        ),
      );
      if (own.length > 0) return own;
      readsOwn = false;
    }
    if (performance.now() >= claimAt) {
      claimAt = performance.now() + claimEveryMs;
      const stale = await Promise.all(
        streams.map(async (stream) => {
          const claimed = await redis.claim(stream, claimAfterMs, claimFrom.get(stream) ?? '0-0', batchSize);
          claimFrom.set(stream, claimed.next);
          return claimed.entries.map((entry): [string, RawEntry] => [stream, entry]);
        }),
      );
      if (stale.flat().length > 0) return stale.flat();
      await redis.forgetGone(callTimeoutMs);
    }
    return flat(await redis.read('>', batchSize, blockMs));
  };

  const count = (what: keyof typeof totals, loanId: string, done: Result<unknown, LedgerRefusal>): void => {
    totals[done.ok ? what : 'refused'] += 1;
    if (!done.ok) log.warn('opening_refused', { account_id: loanId, code: done.refusal.code });
  };

  /** What several events say happens once: by its key, and because a loan is disbursed once. */
  const disburse = async ({ loanId, effectiveOn }: Payout): Promise<void> => {
    const done = await submit({
      kind: 'disbursement',
      loanId,
      key: `disburse:${loanId}`,
      actor,
      effectiveOn,
    });
    if (done.ok || !disbursedAlready.has(done.refusal.code)) count('disbursed', loanId, done);
  };

  const does = async (deed: Deed): Promise<void> => {
    if ('schedule' in deed) count('scheduled', deed.schedule.loanId, await setSchedule(deed.schedule));
    else if ('payout' in deed) {
      // Told first: whoever opens the loan meanwhile finds it.
      if (await tellPayout(db, deed.payout.loanId, deed.payout.effectiveOn)) await disburse(deed.payout);
      else totals.passed += 1;
    } else {
      const { open } = deed;
      count('opened', open.loanId, await submit(open));
      const effectiveOn = open.disbursed ? undefined : await payoutOf(db, open.loanId);
      if (effectiveOn !== undefined) await disburse({ loanId: open.loanId, effectiveOn });
    }
  };

  const take = async (entry: RawEntry): Promise<void> => {
    const deed = deedOf(entry, business);
    if (!deed) totals.passed += 1;
    else
      await does(deed).catch((error) => {
        // The ledger's database being away stops all of them; anything else is this one's own.
        if (error instanceof DatabaseFault || error?.name === 'Overloaded') throw error;
        totals.refused += 1;
        log.error('opening_failed', { entry: entry[0], ...errorFields(error) });
      });
  };

  const part: Part = {
    async step() {
      try {
        const entries = await next();
        // Side by side, so that they share transactions.
        await Promise.all(entries.map(([, entry]) => take(entry)));
        for (const [stream, some] of Map.groupBy(entries, ([stream]) => stream)) {
          const ids = some.map(([, [id]]) => id);
          await redis.use(callTimeoutMs, (client) => client.xAck(stream, group, ids));
        }
        return entries.length;
      } catch (error) {
        readsOwn = true;
        throw error;
      }
    },
    idleMs: 50,
    heartbeat: ({ condition }) => ({
      healthy: condition === 'running' || condition === 'draining',
      detail: {
        opening_condition: condition,
        loans_opened_total: totals.opened,
        schedules_set_total: totals.scheduled,
        loans_disbursed_total: totals.disbursed,
        events_passed_by_total: totals.passed,
        openings_refused_total: totals.refused,
      },
    }),
  };
  return { part, close: () => redis.leave() };
}

const disbursedAlready: ReadonlySet<string> = new Set(['already_disbursed', 'key_reused']);
const types = /^account\.(created|updated|status_changed|schedule\.(created|updated))\.v1$/;

/** Undefined for what opens no loan, tells of no payout and sets no schedule. */
export function deedOf([entryId, raw]: RawEntry, business: Business): Deed | undefined {
  if (raw === null) return undefined;
  const fields: Fields = Object.fromEntries(
    raw.flatMap((name, i) => (i % 2 === 0 ? [[name, raw[i + 1] as string]] : [])),
  );
  const envelope = readEnvelope(fields, business.timeZone);
  if (!envelope.ok || !types.test(envelope.value.type)) return undefined;
  const read = readEvent(envelope.value, business);
  const [claim] = read.ok ? read.value.claims : [];
  if (!claim) return undefined;
  const at = envelope.value.time ? new Date(envelope.value.time) : new Date(Number.parseInt(entryId, 10));
  if (claim.kind === 'schedule') return scheduleOf(claim, at);
  return claim.creation ? openingOf(claim, at, business) : toldOf(claim, at, business);
}

/** A loan that is being repaid, on time or not, was paid out; one that was closed perhaps never was. */
function toldOf({ id, values }: Claim, at: Date, { timeZone }: Business): Deed | undefined {
  const status = values.statusChange ?? values.status;
  if (status !== 'active' && status !== 'in_arrears') return undefined;
  return { payout: { loanId: id, effectiveOn: calendarDate(at, timeZone) } };
}

/** `100.50 EUR` */
const amountOf = (money: unknown): [amount: string, currency: string] | undefined =>
  typeof money === 'string' ? (money.split(' ') as [string, string]) : undefined;

function openingOf({ id, values }: Claim, at: Date, { timeZone }: Business): Deed | undefined {
  const principal = amountOf(values.loanAmount);
  if (!principal) return undefined;
  const [, currency] = principal;
  const openedAt = typeof values.openedAt === 'string' ? new Date(values.openedAt) : at;
  return {
    open: {
      kind: 'open',
      loanId: id,
      key: `open:${id}`,
      actor,
      disbursed: values.status !== 'pending_disbursement',
      terms: {
        accountNumber: textOf(values.accountNumber) ?? id,
        customerId: textOf(values.customerId) ?? '',
        applicationNumber: textOf(values.applicationNumber) ?? '',
        currency,
        principal: principal[0],
        establishmentFee: amountOf(values.loanFee)?.[0] ?? '0',
        totalRepayable: amountOf(values.loanTotalPayable)?.[0],
        interestRateBps: 0,
        openedOn: calendarDate(openedAt, timeZone),
        product: '',
      },
    },
  };
}

const textOf = (value: unknown) => (typeof value === 'string' ? value : undefined);

function scheduleOf({ id, values }: Claim, at: Date): Deed | undefined {
  const loanId = textOf(values.accountId);
  const numbers = Object.keys(values).flatMap((name) => /^instalment:(\d+):amount$/.exec(name)?.[1] ?? []);
  const instalments = numbers.flatMap((number) => {
    const amount = amountOf(values[`instalment:${number}:amount`]);
    const dueOn = textOf(values[`instalment:${number}:dueOn`]);
    return amount && dueOn ? [{ number: Number(number), dueOn, amount: amount[0], currency: amount[1] }] : [];
  });
  const [first] = instalments;
  if (!loanId || !first || instalments.length < numbers.length) return undefined;
  return {
    schedule: { loanId, scheduleId: id, currency: first.currency, instalments, madeAt: at, actor },
  };
}
