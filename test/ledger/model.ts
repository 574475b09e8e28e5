// Has a ledger do what chance commands, from two processes' pools at once, with repetitions and keys used twice, and holds
// every answer to a simple model of a loan; in the end, what the database has to the same model. A seed gives the same
// commands; which of those that run at once comes first is not up to it, so answers are compared in the order of versions.

import assert from 'node:assert/strict';
import type { Pool } from '../../containers/database.ts';
import { canonicalJson } from '../../shared/canonical-json.ts';
import { closeDay } from '../../shared/ledger/close-day.ts';
import type { Command } from '../../shared/ledger/command.ts';
import { postCommands } from '../../shared/ledger/post-commands.ts';
import {
  type Answer,
  accounts,
  type Posted,
  type PostingRules,
  type Transfer,
} from '../../shared/ledger/posting.ts';
import { readRecord } from '../../shared/ledger/read-loan.ts';
import { readSchedule } from '../../shared/ledger/read-schedule.ts';
import { transfersAfter } from '../../shared/ledger/read-transfers.ts';
import { sealTransfers } from '../../shared/ledger/seal-transfers.ts';
import { setSchedule } from '../../shared/ledger/set-schedule.ts';
import { verifyLedger } from '../../shared/ledger/verify.ts';
import { type Chance, seeded } from '../seeded.ts';
import { SimpleLoan } from './simple-loan.ts';

const firstDay = Date.parse('2026-09-01T00:00:00Z');
const dayMs = 86_400_000;
const dayOf = (n: number) => new Date(firstDay + n * dayMs).toISOString().slice(0, 10);
const openedOn = 10;

export interface ModelReport {
  posted: number;
  replayed: number;
  refused: number;
  keysReused: number;
  accruals: number;
}

interface Known {
  loan: SimpleLoan | undefined;
  terms: Extract<Command, { kind: 'open' }>['terms'];
  /** Everything that was posted, by key: how it was answered first. */
  answers: Map<string, { command: Command; posted: Posted }>;
  version: number;
  transferIds: string[];
  schedules: number;
}

export class LedgerModel {
  private readonly pools: readonly Pool[];
  private readonly chance: Chance;
  private readonly loans = new Map<string, Known>();
  private readonly asked: Command[] = [];
  private readonly name: string;
  private keys = 0;
  private today = 40;
  private readonly report: ModelReport = { posted: 0, replayed: 0, refused: 0, keysReused: 0, accruals: 0 };

  /** Loans get ids of their own, so that several may be tried on one database. */
  constructor(pools: readonly Pool[], seed: number, loans: number) {
    this.pools = pools;
    this.chance = seeded(seed);
    this.name = `${seed}`;
    for (let n = 0; n < loans; n++) {
      const interest = this.chance.pick(['0', '12.34']);
      this.loans.set(`${this.name}-${n}`, {
        loan: undefined,
        terms: {
          accountNumber: `N${n}`,
          customerId: `C${n}`,
          applicationNumber: `APP${n}`,
          currency: 'AUD',
          principal: '20000.00',
          establishmentFee: this.chance.pick(['0', '160.00']),
          totalRepayable: interest === '0' ? undefined : '20500.00',
          interestRateBps: this.chance.pick([0, 999, 4_321]),
          openedOn: dayOf(openedOn),
          product: 'standard',
        },
        answers: new Map(),
        version: 0,
        transferIds: [],
        schedules: 0,
      });
    }
  }

  private get rules(): PostingRules {
    return { now: new Date(firstDay + this.today * dayMs), today: dayOf(this.today), orders: {} };
  }

  /** At least so many commands. Throws where ledger and model differ. */
  async run(commands: number): Promise<ModelReport> {
    await this.together([...this.loans.keys()].map((loanId) => this.opening(loanId)));
    while (this.asked.length < commands) {
      const step = this.chance.next();
      if (step < 0.06) await this.plan();
      else if (step < 0.16) await this.close();
      else if (step < 0.4) await this.alone(this.some(this.chance.between(1, 6)));
      else await this.together(this.some(this.chance.between(2, 40)));
      if (this.chance.next() < 0.1) await sealTransfers(this.pool(), 1_000);
    }
    await this.check();
    return this.report;
  }

  private pool(): Pool {
    return this.chance.pick(this.pools);
  }

  private some(count: number): Command[] {
    return Array.from({ length: count }, () => this.command());
  }

  private opening(loanId: string): Command {
    const { terms } = this.loans.get(loanId) as Known;
    return {
      loanId,
      key: `open ${loanId}`,
      actor: 'job:model',
      kind: 'open',
      terms,
      disbursed: this.chance.next() < 0.8,
    };
  }

  private command(): Command {
    const { chance } = this;
    const dice = chance.next();
    if (dice < 0.08 && this.asked.length > 0) return chance.pick(this.asked);
    if (dice < 0.1 && this.asked.length > 0) {
      // The key of another command.
      const fresh = this.fresh();
      return { ...fresh, key: chance.pick(this.asked).key };
    }
    return this.fresh();
  }

  private fresh(): Command {
    const { chance } = this;
    const [loanId, known] = chance.pick([...this.loans]);
    const amount = (to = 40_000) => {
      const text = String(chance.between(1, to)).padStart(3, '0');
      return `${text.slice(0, -2)}.${text.slice(-2)}`;
    };
    const base = {
      loanId,
      key: `${this.name} ${++this.keys}`,
      actor: chance.pick(['user:ada', 'job:posting']),
    };
    const said = { reason: 'r', approvedBy: 'user:bo' };
    const effectiveOn = chance.pick([undefined, dayOf(chance.between(openedOn - 3, this.today + 1))]);
    const kinds: Record<string, () => Command> = {
      repayment: () => ({
        ...base,
        kind: 'repayment',
        amount: chance.pick([amount(), amount(), amount(), amount(200_000), '0.00', '1.005']),
        effectiveOn,
        targetInstalment: chance.next() < 0.2 ? chance.between(1, 7) : undefined,
      }),
      late_fee: () => ({ ...base, kind: 'late_fee', amount: amount(3_000), daysPastDue: 3 }),
      dishonour_fee: () => ({ ...base, kind: 'dishonour_fee', amount: amount(2_000) }),
      fee_waiver: () => ({ ...base, kind: 'fee_waiver', amount: amount(6_000), ...said }),
      write_off: () => ({
        ...base,
        kind: 'write_off',
        amount: chance.next() < 0.02 ? undefined : amount(30_000),
        ...said,
      }),
      adjustment: () => ({
        ...base,
        kind: 'adjustment',
        principal: chance.pick(['0', '0', `-${amount(5_000)}`, amount(60_000)]),
        fees: chance.pick(['0', `-${amount(2_000)}`, amount(3_000)]),
        ...said,
      }),
      reversal: () => ({
        ...base,
        kind: 'reversal',
        transferId: known.transferIds.length > 0 ? chance.pick(known.transferIds) : 'none',
        amount: chance.next() < 0.5 ? undefined : amount(20_000),
        reason: 'r',
      }),
      disbursement: () => ({
        ...base,
        kind: 'disbursement',
        amount: chance.pick(['20000.00', '20000.00', '999.00']),
        bankReference: 'X',
        method: 'npp',
        notes: '',
      }),
    };
    const kind = chance.pick([
      ...Array<string>(9).fill('repayment'),
      ...Array<string>(5).fill('reversal'),
      ...Object.keys(kinds),
    ]);
    return (kinds[kind] as () => Command)();
  }

  /** One batch, whose refusals have to be the model's, too. */
  private async alone(batch: Command[]): Promise<void> {
    this.asked.push(...batch);
    const { rules } = this;
    const answers = await postCommands(this.pool(), batch, rules);
    for (const [n, command] of batch.entries()) {
      const answer = answers[n] as Answer;
      if (this.isKnown(command, answer)) continue;
      if (answer.ok) this.take(command, answer.value);
      else {
        assert.notEqual(answer.refusal.code, 'key_reused', shown(command, answer));
        const moves = isDated(command, rules) ? this.loanOf(command)?.apply(command, 'refused') : undefined;
        assert.equal(moves, undefined, `the model would post what was refused: ${shown(command, answer)}`);
        this.report.refused++;
      }
    }
  }

  /** Several batches at once, some commands in two of them. */
  private async together(commands: Command[]): Promise<void> {
    const batches: Command[][] = Array.from({ length: this.chance.between(2, 4) }, () => []);
    for (const command of commands) {
      this.chance.pick(batches).push(command);
      if (this.chance.next() < 0.15) this.chance.pick(batches).push(command);
    }
    this.asked.push(...commands);
    const { rules } = this;
    const posting = batches.map((batch, n) =>
      postCommands(this.pools[n % this.pools.length] as Pool, batch, rules),
    );
    const answers = (await Promise.all(posting)).flatMap((some, n) =>
      some.map((answer, m) => ({ answer, command: batches[n]?.[m] as Command })),
    );
    // Whatever was posted first of a key has its place; repetitions are compared with it.
    const first = answers.filter(({ answer }) => answer.ok && !answer.value.replayed);
    const place = ({ answer }: (typeof first)[number]) => (answer.ok ? answer.value.version : 0);
    for (const { command, answer } of first.toSorted((a, b) => place(a) - place(b)))
      if (answer.ok) this.take(command, answer.value);
    const now = new Set(first.map(({ command }) => command.key));
    for (const { command, answer } of answers) {
      if (answer.ok && !answer.value.replayed) continue;
      // What was refused before its double was posted.
      const isEarlier = !answer.ok && answer.refusal.code !== 'key_reused' && now.has(command.key);
      if (isEarlier || !this.isKnown(command, answer)) this.report.refused++;
    }
  }

  private known(command: Command): Known {
    return this.loans.get(command.loanId) as Known;
  }

  private loanOf(command: Command): SimpleLoan | undefined {
    return this.known(command).loan;
  }

  private answered(key: string) {
    for (const { answers } of this.loans.values()) {
      const answered = answers.get(key);
      if (answered) return answered;
    }
    return undefined;
  }

  /** Whether the key was used before; then the answer has to be the one of then. */
  private isKnown(command: Command, answer: Answer): boolean {
    const before = this.answered(command.key);
    if (!before || (answer.ok && !answer.value.replayed)) return false;
    const isSame = plain(unsigned(before.command)) === plain(unsigned(command));
    if (!isSame) {
      assert.equal(!answer.ok && answer.refusal.code, 'key_reused', shown(command, answer));
      this.report.keysReused++;
    } else {
      assert.equal(
        plain(answer.ok && answer.value),
        plain({ ...before.posted, replayed: true }),
        shown(command, answer),
      );
      this.report.replayed++;
    }
    return true;
  }

  private take(command: Command, posted: Posted): void {
    const known = this.known(command);
    assert.equal(posted.replayed, false, `a replay of what never was: ${shown(command, posted)}`);
    assert.equal(this.answered(command.key), undefined, `the key is posted twice: ${shown(command, posted)}`);
    if (command.kind === 'open') {
      const { principal, establishmentFee, totalRepayable } = command.terms;
      const minor = (text: string) => BigInt(Math.round(Number(text) * 100));
      const [lent, fee] = [minor(principal), minor(establishmentFee)];
      const interest = totalRepayable === undefined ? 0n : minor(totalRepayable) - lent - fee;
      known.loan = new SimpleLoan({ principal: lent, fee, interest });
    }
    assert.ok(known.loan, `posted on a loan that is not open: ${shown(command, posted)}`);
    const [transfer] = posted.transfers;
    const moves = known.loan.apply(command, transfer?.id ?? '');
    assert.deepEqual(
      posted.transfers.map(({ entries }) => entries),
      moves?.map((move) => Object.fromEntries(accounts.map((account) => [account, move[account] ?? 0n]))),
      `the model moves otherwise: ${shown(command, posted)}`,
    );
    for (const { version } of posted.transfers)
      assert.equal(version, ++known.version, shown(command, posted));
    known.answers.set(command.key, { command, posted });
    known.transferIds.push(...posted.transfers.map(({ id }) => id));
    this.report.posted++;
  }

  private async plan(): Promise<void> {
    const { chance } = this;
    const [loanId, known] = chance.pick([...this.loans]);
    const scheduleId = `S${++known.schedules}`;
    const instalments = Array.from({ length: chance.between(1, 7) }, (_, n) => ({
      number: n + 1,
      dueOn: dayOf(openedOn + 7 * (n + 1)),
      amount: `${chance.between(50, 400)}.50`,
    }));
    const plan = { loanId, scheduleId, currency: 'AUD', actor: 'job:model', instalments };
    const answer = await setSchedule(
      this.pool(),
      { ...plan, madeAt: new Date(firstDay + known.schedules) },
      this.rules.now,
    );
    assert.deepEqual(answer, { ok: true, value: { holds: true } });
    known.loan?.setLines(
      scheduleId,
      instalments.map(({ amount, ...line }) => ({ ...line, amount: BigInt(amount.replace('.', '')) })),
    );
  }

  /** A day passes; interest is the database's to count, and verifying holds it to principal and days. */
  private async close(): Promise<void> {
    const { now, today } = this.rules;
    const closing = () => closeDay(this.pool(), today, () => now, { atOnce: this.chance.between(1, 9) });
    await Promise.all(this.chance.next() < 0.3 ? [closing(), closing()] : [closing()]);
    for (const [loanId, known] of this.loans) {
      for (const { kind, version, entries } of await transfersAfter(this.pool(), loanId, known.version, 10)) {
        assert.equal(kind, 'accrual');
        assert.equal(version, ++known.version);
        known.loan?.accrue(entries.interest);
        this.report.accruals++;
      }
    }
    this.today += this.chance.between(1, 3);
  }

  /** What the database has in the end. */
  private async check(): Promise<void> {
    const [db] = this.pools as [Pool];
    for (const [loanId, { loan, version }] of this.loans) {
      const record = await readRecord(db, loanId);
      assert.ok(record && loan, loanId);
      const { position } = record;
      const { principal, interest, fees, suspense, write_off, recovery } = position.balances;
      assert.deepEqual(
        { version: position.version, principal, interest, fees, suspense, lost: write_off, recovery },
        { version, ...loan.owed, suspense: -loan.suspense, lost: loan.lost, recovery: -loan.recovered },
        loanId,
      );
      assert.deepEqual(
        [position.chargesOpen, position.scheduledPaid, position.disbursed > 0n],
        [loan.charges, loan.scheduledPaid, loan.isPaidOut],
        loanId,
      );
      const schedule = await readSchedule(db, { loanId }, this.rules.today);
      assert.deepEqual(
        (schedule?.instalments ?? []).map(({ number, paid }) => [number, paid]),
        loan.lines.map(({ number, paid }) => [number, paid]),
        loanId,
      );
      await this.replay(loanId, position.version);
    }
    const { broken } = await verifyLedger(db, { checked: () => {} });
    assert.equal(broken, undefined);
  }

  /** The transfers one after the other come to the position. */
  private async replay(loanId: string, version: number): Promise<void> {
    const [db] = this.pools as [Pool];
    const balances = Object.fromEntries(accounts.map((account) => [account, 0n])) as Transfer['entries'];
    let last = 0;
    for (;;) {
      const transfers = await transfersAfter(db, loanId, last, 500);
      for (const transfer of transfers) {
        assert.equal(transfer.version, ++last);
        let sum = 0n;
        for (const account of accounts) {
          balances[account] += transfer.entries[account];
          sum += transfer.entries[account];
        }
        assert.equal(sum, 0n);
        for (const [account, after] of Object.entries(transfer.after))
          assert.equal(balances[account as 'fees'], after, `${loanId} version ${last}`);
      }
      if (transfers.length < 500) break;
    }
    assert.equal(last, version);
    assert.deepEqual((await readRecord(db, loanId))?.position.balances, balances);
  }
}

const unsigned = ({ actor: _, ...command }: Command) => command;

/** The model knows no calendar: what the ledger refuses for its date is asked no further. */
function isDated(command: Command, { today }: PostingRules): boolean {
  return !('effectiveOn' in command) || command.effectiveOn === undefined || command.effectiveOn <= today;
}

const text = (value: unknown) =>
  JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? String(inner) : inner));
/** To be compared: what is left out is undefined, and members have no order. */
const plain = (value: unknown) => canonicalJson(JSON.parse(text(value)));
const shown = (command: Command, answer: unknown) => text({ command, answer });
