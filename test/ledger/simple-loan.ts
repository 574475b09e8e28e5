// A loan as one would keep it on paper: each repayment is a pile of parts, and what is taken back comes off the pile from
// the top. Written apart from shared/ledger/, to be compared with it.

import type { Command } from '../../shared/ledger/command.ts';
import type { Transfer } from '../../shared/ledger/posting.ts';

type Move = Partial<Record<keyof Transfer['entries'], bigint>>;

interface Part {
  account: 'fees' | 'interest' | 'principal' | 'recovery' | 'suspense';
  isCharge: boolean;
  amount: bigint;
}

interface Posted {
  kind: Transfer['kind'];
  moves: Move[];
  charges: bigint;
  /** Of a repayment: money on the accounts, and what of it was put on instalments, in the order it was put there. */
  pile: Part[];
  lines: { number: number; amount: bigint }[];
  schedule: string;
  isReversed: boolean;
}

interface Line {
  number: number;
  dueOn: string;
  amount: bigint;
  paid: bigint;
}

const cents = (text: string): bigint => {
  const [whole = '', fraction = ''] = text.split('.');
  return BigInt(whole + fraction.padEnd(2, '0'));
};
const least = (a: bigint, b: bigint): bigint => {
  if (a < b) return a;
  return b;
};
/** What the database would take, and nothing else. */
const isAmount = (text: string) => /^\d{1,13}(\.\d{1,2})?$/.test(text) && cents(text) > 0n;

export class SimpleLoan {
  readonly owed = { principal: 0n, interest: 0n, fees: 0n };
  charges = 0n;
  suspense = 0n;
  lost = 0n;
  recovered = 0n;
  isPaidOut = false;
  scheduledPaid = 0n;
  schedule = '';
  lines: Line[] = [];
  readonly posted = new Map<string, Posted>();
  private readonly terms: { principal: bigint; fee: bigint; interest: bigint };

  constructor(terms: { principal: bigint; fee: bigint; interest: bigint }) {
    this.terms = terms;
  }

  get total(): bigint {
    return this.owed.principal + this.owed.interest + this.owed.fees;
  }

  setLines(schedule: string, lines: Omit<Line, 'paid'>[]): void {
    this.schedule = schedule;
    this.lines = lines.map((line) => ({ ...line, paid: 0n }));
    this.cover(this.scheduledPaid);
  }

  /** Interest of a day, which only the database counts. */
  accrue(amount: bigint): void {
    this.owed.interest += amount;
  }

  /** What it moves, transfer by transfer; undefined when it has to be refused. */
  apply(command: Command, transferId: string): Move[] | undefined {
    const posted = this.decide(command);
    if (!posted) return undefined;
    this.posted.set(transferId, posted);
    return posted.moves;
  }

  private decide(command: Command): Posted | undefined {
    switch (command.kind) {
      case 'open':
        return command.disbursed ? this.payOut() : { ...nothing(), kind: 'disbursement', moves: [] };
      case 'disbursement': {
        const { amount } = command;
        const isAsAgreed =
          amount === undefined || (isAmount(amount) && cents(amount) === this.terms.principal);
        return this.isPaidOut || !isAsAgreed ? undefined : this.payOut();
      }
      case 'repayment':
        return this.repay(command);
      case 'late_fee':
      case 'dishonour_fee': {
        if (!this.isPaidOut || !isAmount(command.amount)) return undefined;
        const amount = cents(command.amount);
        this.owed.fees += amount;
        this.charges += amount;
        return {
          ...nothing(),
          kind: command.kind,
          moves: [{ fees: amount, income: -amount }],
          charges: amount,
        };
      }
      case 'fee_waiver': {
        if (!isAmount(command.amount) || cents(command.amount) > this.owed.fees) return undefined;
        const amount = cents(command.amount);
        this.owed.fees -= amount;
        return {
          ...nothing(),
          kind: 'fee_waiver',
          moves: [{ fees: -amount, income: amount }],
          charges: this.lessCharges(amount),
        };
      }
      case 'write_off': {
        if (command.amount !== undefined && !isAmount(command.amount)) return undefined;
        const amount = command.amount === undefined ? this.total : cents(command.amount);
        if (amount === 0n || amount > this.total) return undefined;
        const move: Move = { write_off: amount };
        let left = amount;
        for (const account of ['fees', 'interest', 'principal'] as const) {
          const some = least(left, this.owed[account]);
          this.owed[account] -= some;
          move[account] = -some;
          left -= some;
        }
        this.lost += amount;
        return {
          ...nothing(),
          kind: 'write_off',
          moves: [move],
          charges: this.lessCharges(-(move.fees ?? 0n)),
        };
      }
      case 'adjustment': {
        const [principal, fees] = [command.principal, command.fees].map((text) =>
          text.startsWith('-') ? -cents(text.slice(1)) : cents(text),
        ) as [bigint, bigint];
        if (!this.isPaidOut || (principal === 0n && fees === 0n)) return undefined;
        if (this.owed.principal + principal < 0n || this.owed.fees + fees < 0n) return undefined;
        this.owed.principal += principal;
        this.owed.fees += fees;
        if (fees > 0n) this.charges += fees;
        const charges = fees > 0n ? fees : this.lessCharges(-fees);
        const moves = [{ principal, fees, income: -principal - fees }];
        return { ...nothing(), kind: 'adjustment', moves, charges };
      }
      case 'reversal':
        return this.takeBack(command.transferId, command.amount);
    }
  }

  private lessCharges(fees: bigint): bigint {
    const some = least(fees, this.charges);
    this.charges -= some;
    return -some;
  }

  private payOut(): Posted {
    const { principal, fee, interest } = this.terms;
    this.isPaidOut = true;
    this.owed.principal += principal;
    this.owed.fees += fee;
    this.owed.interest += interest;
    const moves: Move[] = [{ principal, cash: -principal }];
    if (fee > 0n) moves.push({ fees: fee, income: -fee });
    if (interest > 0n) moves.push({ interest, income: -interest });
    return { ...nothing(), kind: 'disbursement', moves };
  }

  private repay(command: Extract<Command, { kind: 'repayment' }>): Posted | undefined {
    const target = command.targetInstalment;
    if (!isAmount(command.amount)) return undefined;
    if (target !== undefined && !this.lines.some(({ number }) => number === target)) return undefined;
    const amount = cents(command.amount);
    const pile: Part[] = [];
    let left = amount;
    const put = (account: Part['account'], atMost: bigint, isCharge = false) => {
      const some = least(left, atMost);
      if (some > 0n) pile.push({ account, amount: some, isCharge });
      left -= some;
      return some;
    };
    const charges = put('fees', this.charges, true);
    const fees = put('fees', this.owed.fees - this.charges);
    const interest = put('interest', this.owed.interest);
    const principal = put('principal', this.owed.principal);
    const recovery = put('recovery', this.lost - this.recovered);
    const suspense = put('suspense', left);
    this.charges -= charges;
    this.owed.fees -= charges + fees;
    this.owed.interest -= interest;
    this.owed.principal -= principal;
    this.recovered += recovery;
    this.suspense += suspense;
    const scheduled = fees + interest + principal;
    this.scheduledPaid += scheduled;
    const lines = this.cover(scheduled, target);
    const move = {
      cash: amount,
      fees: -charges - fees,
      interest: -interest,
      principal: -principal,
      recovery: -recovery,
    };
    return {
      ...nothing(),
      kind: 'repayment',
      moves: [{ ...move, suspense: -suspense }],
      charges: -charges,
      pile,
      lines,
      schedule: this.schedule,
    };
  }

  private cover(amount: bigint, target?: number): { number: number; amount: bigint }[] {
    let left = amount;
    const put: { number: number; amount: bigint }[] = [];
    for (const line of [...this.lines].sort((a, b) => +(b.number === target) - +(a.number === target))) {
      const some = least(left, line.amount - line.paid);
      line.paid += some;
      left -= some;
      if (some > 0n) put.push({ number: line.number, amount: some });
    }
    return put;
  }

  private takeBack(transferId: string, text: string | undefined): Posted | undefined {
    const original = this.posted.get(transferId);
    if (!original || (text !== undefined && !isAmount(text))) return undefined;
    return original.kind === 'repayment'
      ? this.takeOff(original, text === undefined ? undefined : cents(text))
      : this.undo(original, text);
  }

  private undo(original: Posted, text: string | undefined): Posted | undefined {
    if (original.isReversed || original.kind === 'reversal' || original.moves.length === 0) return undefined;
    const [first = {}] = original.moves;
    const whole = (first.principal ?? 0n) + (first.interest ?? 0n) + (first.fees ?? 0n);
    if (text !== undefined && cents(text) !== (whole < 0n ? -whole : whole)) return undefined;
    const sum = (account: keyof Move) =>
      original.moves.reduce((all, move) => all + (move[account] ?? 0n), 0n);
    const after = {
      principal: this.owed.principal - sum('principal'),
      interest: this.owed.interest - sum('interest'),
      fees: this.owed.fees - sum('fees'),
      charges: this.charges - original.charges,
      lost: this.lost - sum('write_off'),
    };
    if (after.principal < 0n || after.interest < 0n || after.fees < 0n) return undefined;
    if (after.charges < 0n || after.charges > after.fees || after.lost < this.recovered) return undefined;
    Object.assign(this.owed, { principal: after.principal, interest: after.interest, fees: after.fees });
    this.charges = after.charges;
    this.lost = after.lost;
    if (original.kind === 'disbursement') this.isPaidOut = false;
    original.isReversed = true;
    return {
      ...nothing(),
      kind: 'reversal',
      moves: original.moves.map(opposite),
      charges: -original.charges,
    };
  }

  private takeOff(original: Posted, asked: bigint | undefined): Posted | undefined {
    const there = original.pile.reduce((all, part) => all + part.amount, 0n);
    const amount = asked ?? there;
    if (amount === 0n || amount > there) return undefined;
    const move: Move = { cash: -amount };
    let left = amount;
    let charges = 0n;
    let scheduled = 0n;
    while (left > 0n) {
      const top = original.pile.at(-1) as Part;
      const some = least(left, top.amount);
      top.amount -= some;
      left -= some;
      if (top.amount === 0n) original.pile.pop();
      move[top.account] = (move[top.account] ?? 0n) + some;
      if (top.account === 'suspense') this.suspense -= some;
      else if (top.account === 'recovery') this.recovered -= some;
      else {
        this.owed[top.account] += some;
        if (top.isCharge) charges += some;
        else scheduled += some;
      }
    }
    this.charges += charges;
    this.scheduledPaid -= scheduled;
    this.uncover(original);
    return { ...nothing(), kind: 'reversal', moves: [move], charges };
  }

  /** Instalments have no more than what is paid by schedule: what is too much goes off this repayment's, then off the newest. */
  private uncover(original: Posted): void {
    const excess = () => this.lines.reduce((all, { paid }) => all + paid, 0n) - this.scheduledPaid;
    while (excess() > 0n) {
      const mine = original.schedule === this.schedule ? original.lines.at(-1) : undefined;
      const line = mine
        ? this.lines.find(({ number }) => number === mine.number)
        : this.lines.findLast(({ paid }) => paid > 0n);
      if (!line) throw new Error('more is paid of instalments than there is');
      let some = least(excess(), line.paid);
      if (mine && mine.amount < some) some = mine.amount;
      line.paid -= some;
      if (mine) mine.amount -= some;
      if (mine && (mine.amount === 0n || some === 0n)) original.lines.pop();
    }
  }
}

const nothing = () => ({ charges: 0n, pile: [], lines: [], schedule: '', isReversed: false });
const opposite = (move: Move): Move =>
  Object.fromEntries(Object.entries(move).map(([account, amount]) => [account, -amount]));
