// Posts commands, of any number of loans, in one transaction: the loans are locked in one order, what the commands need
// is loaded, each is decided in the order given, and what they post is written by one statement. Two processes that do
// this on one database are safe: the lock on a loan's position, and the constraints on ids and reversals, have the word.
//
// A command happens once, however often it is asked for: the id of its transfer follows from its key. The same key with
// the same command is answered from what was posted then; a refusal is forgotten.

import { canonicalJson } from '../canonical-json.ts';
import { type Database, DatabaseFault, type TransactionalDatabase } from '../database.ts';
import { isUuid, uuidOf } from '../id.ts';
import { ok, refused } from '../result.ts';
import type { Command, LedgerRefusal, RefusalCode } from './command.ts';
import { decide, disbursement, loanOf, type Original, unreadable } from './decide.ts';
import { balanceChanged } from './events.ts';
import type { Instalment, Loan, LoanState } from './loan.ts';
import { type Draft, noBalances, post } from './position.ts';
import type { Answer, Posted, PostingRules, Transfer } from './posting.ts';
import {
  insertLoans,
  type Kept,
  latestSchedules,
  loadInstalments,
  loadOriginals,
  loadPosted,
  lockLoans,
  lockOpenings,
  type NewLoan,
  type Opening,
  save,
} from './store.ts';

const space = '8d0f5c6e-3c67-5f0e-8f0a-5d1f6f1b2a77';
/** A command posts at most this many transfers: a disbursement, its fee and its interest. */
const partsLimit = 3;

const idOf = (key: string, part: number) => uuidOf(space, `${part}:${key}`);
const hashOf = (content: object) => uuidOf(space, canonicalJson(content));

/** Two that use one key for two loans at once: the second is answered when it looks again. */
const attemptsLimit = 3;
const uniqueViolation = '23505';

const defaultLockTimeoutMs = 5_000;

/** Answers one for each, in order. Throws DatabaseFault, and then nothing is posted; safe to repeat. */
export async function postCommands(
  db: TransactionalDatabase,
  commands: readonly Command[],
  rules: PostingRules,
  lockTimeoutMs = defaultLockTimeoutMs,
): Promise<Answer[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await db.transaction((tx) => postAll(tx, commands, rules, lockTimeoutMs));
    } catch (fault) {
      const isRace = fault instanceof DatabaseFault && fault.sqlState === uniqueViolation;
      if (!isRace || attempt === attemptsLimit) throw fault;
    }
  }
}

async function postAll(
  tx: Database,
  commands: readonly Command[],
  rules: PostingRules,
  lockTimeoutMs: number,
): Promise<Answer[]> {
  const refusals = commands.map(unreadable);
  const readable = commands.filter((_, n) => !refusals[n]);
  const batch = await load(tx, readable, rules, lockTimeoutMs);
  const answers = commands.map((command, n) => {
    const refusal = refusals[n];
    return refusal ? refused(refusal) : batch.answer(command);
  });
  await batch.save(tx);
  return answers;
}

async function load(
  tx: Database,
  commands: readonly Command[],
  rules: PostingRules,
  lockTimeoutMs: number,
): Promise<Batch> {
  const opens = commands.filter(({ kind }) => kind === 'open');
  if (opens.length > 0)
    await lockOpenings(
      tx,
      opens.map(({ loanId }) => loanId),
    );
  const loanIds = [...new Set(commands.map(({ loanId }) => loanId))];
  const locked = await lockLoans(tx, loanIds, lockTimeoutMs);

  const { kept, openedBy } = await loadPosted(tx, commands.flatMap(possibleIds));
  const reversed = commands.flatMap((command) =>
    command.kind === 'reversal' && isUuid(command.transferId) ? [command.transferId.toLowerCase()] : [],
  );
  const originals = reversed.length > 0 ? await loadOriginals(tx, reversed) : [];

  const holding = [...locked.values()].flatMap(({ loan, position }) =>
    position.scheduleId === undefined ? [] : [{ loan, scheduleId: position.scheduleId }],
  );
  const unopened = await unopenedLoans(tx, opens, locked, rules);
  const instalments = await loadInstalments(tx, [
    ...holding,
    ...[...unopened].flatMap(([, { loan, scheduleId }]) => (scheduleId ? [{ loan, scheduleId }] : [])),
  ]);
  return new Batch(rules, locked, instalments, [...kept, ...originals], openedBy, unopened);
}

const possibleIds = ({ kind, key }: Command): string[] =>
  kind === 'open' || kind === 'disbursement' || kind === 'reversal'
    ? Array.from({ length: partsLimit }, (_, part) => idOf(key, part))
    : [idOf(key, 0)];

/** Schedules may have come before their loans. */
async function unopenedLoans(
  tx: Database,
  opens: readonly Command[],
  locked: ReadonlyMap<string, unknown>,
  rules: PostingRules,
): Promise<Map<string, { loan: Loan; scheduleId: string | undefined }>> {
  const loans = opens.flatMap((command) => {
    if (command.kind !== 'open' || locked.has(command.loanId)) return [];
    const loan = loanOf(command.loanId, command.terms, rules);
    return loan.ok ? [loan.value] : [];
  });
  if (loans.length === 0) return new Map();
  const schedules = await latestSchedules(tx, loans);
  return new Map(loans.map((loan) => [loan.loanId, { loan, scheduleId: schedules.get(loan.loanId) }]));
}

const no = (code: RefusalCode, message: string) => refused<LedgerRefusal>({ code, message });

/** What a batch knows of its loans, command by command, and in the end writes. */
class Batch {
  private readonly rules: PostingRules;
  private readonly openings: Map<string, Opening>;
  private readonly states = new Map<string, LoanState>();
  private readonly before = new Map<string, LoanState>();
  /** By id. */
  private readonly kept = new Map<string, Kept>();
  private readonly openedBy: Map<string, string>;
  private readonly unopened: ReadonlyMap<string, { loan: Loan; scheduleId: string | undefined }>;
  private readonly instalments: ReadonlyMap<string, Instalment[]>;
  private readonly newLoans: NewLoan[] = [];
  private readonly newTransfers: Kept[] = [];

  constructor(
    rules: PostingRules,
    locked: ReadonlyMap<string, Omit<LoanState, 'instalments'> & Opening>,
    instalments: ReadonlyMap<string, Instalment[]>,
    kept: readonly Kept[],
    openedBy: Map<string, string>,
    unopened: ReadonlyMap<string, { loan: Loan; scheduleId: string | undefined }>,
  ) {
    this.rules = rules;
    this.openings = new Map(locked);
    this.instalments = instalments;
    this.openedBy = openedBy;
    this.unopened = unopened;
    for (const [loanId, { loan, position }] of locked) {
      const state = { loan, position, instalments: instalments.get(loanId) ?? [] };
      this.states.set(loanId, state);
      this.before.set(loanId, state);
    }
    for (const one of kept) this.kept.set(one.transfer.id, one);
  }

  answer(command: Command): Answer {
    const { loanId, key, actor: _, ...content } = command;
    const hash = hashOf({ loanId, ...content });
    const earlier = this.kept.get(idOf(key, 0));
    if (earlier) return this.replay(command, hash, earlier);
    return command.kind === 'open' ? this.open(command, hash) : this.move(command, hash);
  }

  private replay(command: Command, hash: string, earlier: Kept): Answer {
    if (earlier.key !== command.key || earlier.requestHash !== hash)
      return no('key_reused', 'the key has been used for another command');
    const transfers = possibleIds(command).flatMap((id) => this.kept.get(id)?.transfer ?? []);
    return ok({ ...posted(command.loanId, earlier.transfer.currency, transfers), replayed: true });
  }

  private open(command: Extract<Command, { kind: 'open' }>, hash: string): Answer {
    const { loanId, key, actor, terms, disbursed } = command;
    const openId = idOf(key, 0);
    const termsHash = hashOf({ terms, disbursed });
    const opening = this.openings.get(loanId);
    const state = this.states.get(loanId);
    if (opening && state) {
      if (opening.termsHash !== termsHash)
        return opening.openId === openId
          ? no('key_reused', 'the key has been used for another command')
          : no('loan_is_open_otherwise', 'the loan is open with other terms');
      const version = opening.openId === openId ? 0 : state.position.version;
      return ok({ ...posted(loanId, state.loan.currency, []), version, replayed: true });
    }
    if ((this.openedBy.get(openId) ?? loanId) !== loanId)
      return no('key_reused', 'the key has opened another loan');
    const loan = loanOf(loanId, terms, this.rules);
    if (!loan.ok) return loan;
    if (disbursed && terms.openedOn > this.rules.today)
      return no('invalid_date', 'a loan that is disbursed was opened today or before');
    const scheduleId = this.unopened.get(loanId)?.scheduleId;
    const opened = openedState(loan.value, scheduleId, this.instalments.get(loanId) ?? []);
    this.before.set(loanId, opened);
    this.states.set(loanId, opened);
    this.openings.set(loanId, { openId, termsHash });
    this.openedBy.set(openId, loanId);
    this.newLoans.push({ loan: loan.value, openId, termsHash, actor, scheduleId });
    return disbursed
      ? this.post(opened, command, hash, disbursement(loan.value, terms.openedOn, {}))
      : ok(posted(loanId, loan.value.currency, []));
  }

  private move(command: Exclude<Command, { kind: 'open' }>, hash: string): Answer {
    const state = this.states.get(command.loanId);
    if (!state) return no('unknown_loan', 'there is no such loan');
    if (this.openedBy.has(idOf(command.key, 0)))
      return no('key_reused', 'the key has been used for another command');
    const original =
      command.kind === 'reversal' ? this.original(command.loanId, command.transferId) : undefined;
    const drafts = decide(state, command, this.rules, original);
    return drafts.ok ? this.post(state, command, hash, drafts.value) : drafts;
  }

  /** All drafts or none. */
  private post(
    state: LoanState,
    { loanId, key, actor }: Command,
    requestHash: string,
    drafts: readonly Draft[],
  ): Answer {
    const transfers: Transfer[] = [];
    let after = state;
    for (const draft of drafts) {
      const step = post(after, draft, { id: idOf(key, transfers.length), actor, now: this.rules.now });
      if (!step.ok) return step;
      after = step.value.state;
      transfers.push(step.value.transfer);
    }
    this.states.set(loanId, after);
    for (const transfer of transfers) {
      const kept = { transfer, key, requestHash };
      this.kept.set(transfer.id, kept);
      this.newTransfers.push(kept);
    }
    return ok(posted(loanId, state.loan.currency, transfers));
  }

  private original(loanId: string, transferId: string): Original | undefined {
    const found = this.kept.get(transferId.toLowerCase());
    if (found?.transfer.loanId !== loanId) return undefined;
    const { transfer, key } = found;
    let reversedBefore: bigint | undefined;
    const companions: Transfer[] = [];
    for (const { transfer: other, key: otherKey } of this.kept.values()) {
      if (other.reverses?.id === transfer.id)
        reversedBefore = (reversedBefore ?? 0n) + (transfer.kind === 'repayment' ? -other.entries.cash : 0n);
      if (otherKey === key && other.id !== transfer.id && other.loanId === loanId) companions.push(other);
    }
    return { transfer, reversedBefore, companions };
  }

  async save(tx: Database): Promise<void> {
    if (this.newLoans.length > 0) await insertLoans(tx, this.newLoans);
    const changed = [...this.states.values()].filter(
      (state) => state !== this.before.get(state.loan.loanId) || this.isNew(state.loan.loanId),
    );
    if (changed.length === 0) return;
    await save(tx, {
      transfers: this.newTransfers,
      loans: changed,
      instalments: changed.flatMap((state) => this.changedInstalments(state)),
      events: changed.map(balanceChanged),
    });
  }

  private isNew(loanId: string): boolean {
    return this.newLoans.some(({ loan }) => loan.loanId === loanId);
  }

  private changedInstalments({ loan, position: { scheduleId }, instalments }: LoanState) {
    const before = this.before.get(loan.loanId)?.instalments;
    return scheduleId === undefined
      ? []
      : instalments
          .filter((instalment, n) => instalment !== before?.[n])
          .map((instalment) => ({ loan, scheduleId, instalment }));
  }
}

const openedState = (
  loan: Loan,
  scheduleId: string | undefined,
  instalments: readonly Instalment[],
): LoanState => ({
  loan,
  position: {
    version: 0,
    balances: noBalances(),
    disbursed: 0n,
    chargesOpen: 0n,
    scheduledPaid: 0n,
    accrualBase: 0n,
    accrued: 0n,
    closedOn: undefined,
    scheduleId,
    updatedAt: loan.openedAt,
  },
  instalments,
});

function posted(loanId: string, currency: string, transfers: readonly Transfer[]): Posted {
  const [first] = transfers;
  return {
    loanId,
    currency,
    transfers,
    version: transfers.at(-1)?.version ?? 0,
    overpayment: first?.kind === 'repayment' ? -first.entries.suspense : 0n,
    replayed: false,
  };
}
