// The ledger's SQL of posting; that of its reads, of the close of day and of sealing is in read-store.ts,
// close-store.ts and seal-store.ts. One statement for all loans of a batch, and few of them.

import type { Database } from '../database.ts';
import type { LedgerEvent } from './events.ts';
import type { Instalment, Loan, LoanState, Position } from './loan.ts';
import { toDecimal, toMinor } from './minor.ts';
import {
  type AppliedInstalment,
  accounts,
  type Balances,
  type Transfer,
  type TransferFacts,
  type TransferKind,
} from './posting.ts';

/** A transfer with what it was asked by. */
export interface Kept {
  transfer: Transfer;
  key: string;
  requestHash: string;
}

/** How a loan was opened. */
export interface Opening {
  openId: string;
  termsHash: string;
}

/** Waits for whoever opens one of these loans or sets a schedule of one; in one order. */
export async function lockOpenings(tx: Database, loanIds: readonly string[]): Promise<void> {
  await tx.query(
    `select pg_advisory_xact_lock(lock) from
       (select distinct hashtextextended('ledger.opening ' || id, 0) as lock from unnest($1::text[]) as id order by 1) as locks`,
    [loanIds],
  );
}

export type LoanRow = Record<string, string> & { opened_at: Date; updated_at: Date };

export const loanColumns = `l.loan_id, l.account_number, l.customer_id, l.application_number, l.currency,
  l.principal as loan_principal, l.establishment_fee, l.scheduled_interest, l.interest_rate_bps, l.opened_on::text as opened_on,
  l.product, l.opened_at, l.open_id, l.terms_hash`;
export const positionColumns = `p.version, p.principal, p.interest, p.fees, p.suspense, p.write_off, p.recovery, p.cash,
  p.income, p.disbursed, p.charges_open, p.scheduled_paid, p.accrual_base, p.accrued, p.closed_on::text as closed_on,
  p.schedule_id, p.updated_at`;

export function loanFrom(row: LoanRow): Loan {
  const currency = row.currency as string;
  return {
    loanId: row.loan_id as string,
    accountNumber: row.account_number as string,
    customerId: row.customer_id as string,
    applicationNumber: row.application_number as string,
    currency,
    principal: toMinor(row.loan_principal as string, currency),
    establishmentFee: toMinor(row.establishment_fee as string, currency),
    scheduledInterest: toMinor(row.scheduled_interest as string, currency),
    interestRateBps: Number(row.interest_rate_bps),
    openedOn: row.opened_on as string,
    product: row.product as string,
    openedAt: row.opened_at,
  };
}

export function positionFrom(row: LoanRow): Position {
  const minor = (name: string) => toMinor(row[name] as string, row.currency as string);
  return {
    version: Number(row.version),
    balances: balancesFrom(row, row.currency as string),
    disbursed: minor('disbursed'),
    chargesOpen: minor('charges_open'),
    scheduledPaid: minor('scheduled_paid'),
    accrualBase: BigInt(row.accrual_base as string),
    accrued: minor('accrued'),
    closedOn: row.closed_on ?? undefined,
    scheduleId: row.schedule_id ?? undefined,
    updatedAt: row.updated_at,
  };
}

export const balancesFrom = (row: Record<string, unknown>, currency: string): Balances =>
  Object.fromEntries(
    accounts.map((account) => [account, toMinor(row[account] as string, currency)]),
  ) as Balances;

/**
 * The loans with their positions, which no other transaction changes until this one ends. Waiting for a lock ends after
 * `lockTimeoutMs`, with a fault that is worth repeating.
 */
export async function lockLoans(
  tx: Database,
  loanIds: readonly string[],
  lockTimeoutMs: number,
): Promise<Map<string, Omit<LoanState, 'instalments'> & Opening>> {
  const rows = await tx.query<LoanRow>(
    `with setting as materialized (select set_config('lock_timeout', $2, true) as lock_timeout)
     select ${loanColumns}, ${positionColumns}
     from setting, ledger.positions p join ledger.loans l on l.loan_id = p.loan_id
     where p.loan_id = any ($1::text[]) and lock_timeout <> ''
     order by p.loan_id for update of p`,
    [loanIds, String(lockTimeoutMs)],
  );
  return new Map(
    rows.map((row) => [
      row.loan_id as string,
      {
        loan: loanFrom(row),
        position: positionFrom(row),
        openId: row.open_id as string,
        termsHash: row.terms_hash as string,
      },
    ]),
  );
}

export interface InstalmentRow {
  loan_id: string;
  schedule_id: string;
  number: number;
  due_on: string;
  amount: string;
  paid: string;
  paid_on: string | null;
  updated_at: Date;
}
export const instalmentColumns = `i.loan_id, i.schedule_id, i.number, i.due_on::text as due_on, i.amount, i.paid,
  i.paid_on::text as paid_on, i.updated_at`;

export const instalmentFrom = (row: InstalmentRow, currency: string): Instalment => ({
  number: row.number,
  dueOn: row.due_on,
  amount: toMinor(row.amount, currency),
  paid: toMinor(row.paid, currency),
  paidOn: row.paid_on ?? undefined,
  updatedAt: row.updated_at,
});

/** Of the schedules that hold, oldest first, by loan. */
export async function loadInstalments(
  tx: Database,
  schedules: readonly { loan: Loan; scheduleId: string }[],
): Promise<Map<string, Instalment[]>> {
  const currencies = new Map(schedules.map(({ loan }) => [loan.loanId, loan.currency]));
  const rows = await tx.query<InstalmentRow>(
    `select ${instalmentColumns}
     from unnest($1::text[], $2::text[]) as s (loan_id, schedule_id)
     join ledger.instalments i on i.loan_id = s.loan_id and i.schedule_id = s.schedule_id
     order by i.loan_id, i.due_on, i.number`,
    [schedules.map(({ loan }) => loan.loanId), schedules.map(({ scheduleId }) => scheduleId)],
  );
  const byLoan = new Map<string, Instalment[]>();
  for (const row of rows) {
    const instalment = instalmentFrom(row, currencies.get(row.loan_id) as string);
    const some = byLoan.get(row.loan_id);
    if (some) some.push(instalment);
    else byLoan.set(row.loan_id, [instalment]);
  }
  return byLoan;
}

export interface TransferRow {
  loan_id: string;
  version: string;
  id: string;
  key: string;
  request_hash: string;
  kind: TransferKind;
  effective_on: string;
  recorded_at: Date;
  currency: string;
  principal_after: string;
  interest_after: string;
  fees_after: string;
  suspense_after: string;
  charges: string;
  scheduled: string;
  reverses: string | null;
  reverses_kind: TransferKind | null;
  reversed_before: string | null;
  reason: string | null;
  actor: string;
  payment_id: string | null;
  reference: string | null;
  details: Details | null;
}
export const transferColumns = `t.loan_id, t.version, t.id, t.key, t.request_hash, t.kind,
  t.effective_on::text as effective_on, t.recorded_at, t.currency, t.principal, t.interest, t.fees, t.suspense, t.write_off,
  t.recovery, t.cash, t.income, t.principal_after, t.interest_after, t.fees_after, t.suspense_after, t.charges, t.scheduled,
  t.reverses, t.reverses_kind, t.reversed_before, t.reason, t.actor, t.payment_id, t.reference, t.details`;

/** As they are kept; amounts in minor units. */
interface Details extends TransferFacts {
  instalments?: readonly (readonly [
    number: number,
    dueOn: string,
    amount: string,
    applied: string,
    remaining: string,
  ])[];
  warning?: string;
}

function detailsOf({ facts, instalments, warning }: Transfer): string | null {
  const details: Details = {
    ...facts,
    ...(instalments.length > 0 && {
      instalments: instalments.map(
        (line) =>
          [line.number, line.dueOn, `${line.amount}`, `${line.applied}`, `${line.remaining}`] as const,
      ),
    }),
    ...(warning !== undefined && { warning }),
  };
  const text = JSON.stringify(details);
  return text === '{}' ? null : text;
}

export function transferFrom(row: TransferRow): Transfer {
  const minor = (text: string) => toMinor(text, row.currency);
  const { instalments = [], warning, ...facts } = row.details ?? {};
  return {
    id: row.id,
    loanId: row.loan_id,
    version: Number(row.version),
    kind: row.kind,
    currency: row.currency,
    entries: balancesFrom(row as unknown as Record<string, unknown>, row.currency),
    after: {
      principal: minor(row.principal_after),
      interest: minor(row.interest_after),
      fees: minor(row.fees_after),
      suspense: minor(row.suspense_after),
    },
    effectiveOn: row.effective_on,
    recordedAt: row.recorded_at,
    actor: row.actor,
    reason: row.reason ?? undefined,
    paymentId: row.payment_id ?? undefined,
    reference: row.reference ?? undefined,
    reverses:
      row.reverses !== null && row.reverses_kind !== null && row.reversed_before !== null
        ? { id: row.reverses, kind: row.reverses_kind, before: minor(row.reversed_before) }
        : undefined,
    facts,
    charges: minor(row.charges),
    scheduled: minor(row.scheduled),
    instalments: instalments.map(
      ([number, dueOn, amount, applied, remaining]): AppliedInstalment => ({
        number,
        dueOn,
        amount: BigInt(amount),
        applied: BigInt(applied),
        remaining: BigInt(remaining),
      }),
    ),
    warning,
  };
}

const keptFrom = (row: TransferRow): Kept => ({
  transfer: transferFrom(row),
  key: row.key,
  requestHash: row.request_hash,
});

/** What was posted under these ids, and which loans were opened under them. */
export async function loadPosted(
  tx: Database,
  ids: readonly string[],
): Promise<{ kept: Kept[]; openedBy: Map<string, string> }> {
  const rows = await tx.query<TransferRow & { open_id: string | null; opened: string | null }>(
    `select ${transferColumns}, l.open_id, l.loan_id as opened
     from unnest($1::uuid[]) as asked
     left join ledger.transfers t on t.id = asked
     left join ledger.loans l on l.open_id = asked
     where t.id is not null or l.loan_id is not null`,
    [ids],
  );
  return {
    kept: rows.filter(({ id }) => id !== null).map(keptFrom),
    openedBy: new Map(
      rows.flatMap(({ open_id, opened }) => (open_id !== null && opened !== null ? [[open_id, opened]] : [])),
    ),
  };
}

/** The transfers, what was posted with them, and their reversals. */
export async function loadOriginals(tx: Database, ids: readonly string[]): Promise<Kept[]> {
  const rows = await tx.query<TransferRow>(
    `select ${transferColumns} from ledger.transfers o
     join ledger.transfers t on t.loan_id = o.loan_id and t.version between o.version and o.version + 2 and t.key = o.key
     where o.id = any ($1::uuid[])
     union all
     select ${transferColumns} from ledger.transfers t where t.reverses = any ($1::uuid[])`,
    [ids],
  );
  return rows.map(keptFrom);
}

/** The schedule that was made last, of those in the loan's currency. */
export async function latestSchedules(tx: Database, loans: readonly Loan[]): Promise<Map<string, string>> {
  const rows = await tx.query<{ loan_id: string; schedule_id: string }>(
    `select distinct on (s.loan_id) s.loan_id, s.schedule_id
     from unnest($1::text[], $2::text[]) as l (loan_id, currency)
     join ledger.schedules s on s.loan_id = l.loan_id and s.currency = l.currency
     order by s.loan_id, s.made_at desc, s.schedule_id desc`,
    [loans.map(({ loanId }) => loanId), loans.map(({ currency }) => currency)],
  );
  return new Map(rows.map((row) => [row.loan_id, row.schedule_id]));
}

export interface NewLoan extends Opening {
  loan: Loan;
  actor: string;
  scheduleId: string | undefined;
}

export async function insertLoans(tx: Database, loans: readonly NewLoan[]): Promise<void> {
  const column = <T>(value: (one: NewLoan) => T) => loans.map(value);
  await tx.query(
    `with new as (
       select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::numeric[], $7::numeric[], $8::numeric[],
         $9::int[], $10::date[], $11::text[], $12::uuid[], $13::uuid[], $14::text[], $15::timestamptz[], $16::text[])
         as n (loan_id, account_number, customer_id, application_number, currency, principal, establishment_fee,
           scheduled_interest, interest_rate_bps, opened_on, product, open_id, terms_hash, actor, opened_at, schedule_id)
     ), inserted as (
       insert into ledger.loans (loan_id, account_number, customer_id, application_number, currency, principal,
         establishment_fee, scheduled_interest, interest_rate_bps, opened_on, product, open_id, terms_hash, actor, opened_at)
       select loan_id, account_number, customer_id, application_number, currency, principal, establishment_fee,
         scheduled_interest, interest_rate_bps, opened_on, product, open_id, terms_hash, actor, opened_at
       from new order by loan_id
     )
     insert into ledger.positions (loan_id, currency, schedule_id, updated_at)
     select loan_id, currency, schedule_id, opened_at from new order by loan_id`,
    [
      column(({ loan }) => loan.loanId),
      column(({ loan }) => loan.accountNumber),
      column(({ loan }) => loan.customerId),
      column(({ loan }) => loan.applicationNumber),
      column(({ loan }) => loan.currency),
      column(({ loan }) => toDecimal(loan.principal, loan.currency)),
      column(({ loan }) => toDecimal(loan.establishmentFee, loan.currency)),
      column(({ loan }) => toDecimal(loan.scheduledInterest, loan.currency)),
      column(({ loan }) => loan.interestRateBps),
      column(({ loan }) => loan.openedOn),
      column(({ loan }) => loan.product),
      column(({ openId }) => openId),
      column(({ termsHash }) => termsHash),
      column(({ actor }) => actor),
      column(({ loan }) => loan.openedAt),
      column(({ scheduleId }) => scheduleId ?? null),
    ],
  );
}

export interface Changes {
  transfers: readonly Kept[];
  /** Whole, of the loans that have new transfers. */
  loans: readonly LoanState[];
  /** Those that changed, by loan. */
  instalments: readonly { loan: Loan; scheduleId: string; instalment: Instalment }[];
  events: readonly LedgerEvent[];
}

/** One statement. */
export async function save(tx: Database, { transfers, loans, instalments, events }: Changes): Promise<void> {
  const t = <T>(value: (one: Transfer, kept: Kept) => T) =>
    transfers.map((kept) => value(kept.transfer, kept));
  const money = (value: (one: Transfer) => bigint) => t((one) => toDecimal(value(one), one.currency));
  const p = <T>(value: (one: LoanState) => T) => loans.map(value);
  const positions = (value: (one: Position) => bigint) =>
    loans.map(({ loan, position }) => toDecimal(value(position), loan.currency));
  const i = <T>(value: (one: (typeof instalments)[number]) => T) => instalments.map(value);
  await tx.query(saveStatement, [
    t((one) => one.loanId),
    t((one) => one.version),
    t((one) => one.id),
    t((_, { key }) => key),
    t((_, { requestHash }) => requestHash),
    t((one) => one.kind),
    t((one) => one.effectiveOn),
    t((one) => one.recordedAt),
    t((one) => one.currency),
    ...accounts.map((account) => money((one) => one.entries[account])),
    money((one) => one.after.principal),
    money((one) => one.after.interest),
    money((one) => one.after.fees),
    money((one) => one.after.suspense),
    money((one) => one.charges),
    money((one) => one.scheduled),
    t((one) => one.reverses?.id ?? null),
    t((one) => one.reverses?.kind ?? null),
    t((one) => (one.reverses ? toDecimal(one.reverses.before, one.currency) : null)),
    t((one) => one.reason ?? null),
    t((one) => one.actor),
    t((one) => one.paymentId ?? null),
    t((one) => one.reference ?? null),
    t(detailsOf),
    p(({ loan }) => loan.loanId),
    p(({ position }) => position.version),
    ...accounts.map((account) => positions(({ balances }) => balances[account])),
    positions(({ disbursed }) => disbursed),
    positions(({ chargesOpen }) => chargesOpen),
    positions(({ scheduledPaid }) => scheduledPaid),
    p(({ position }) => String(position.accrualBase)),
    positions(({ accrued }) => accrued),
    p(({ position }) => position.updatedAt),
    i(({ loan }) => loan.loanId),
    i(({ scheduleId }) => scheduleId),
    i(({ instalment }) => instalment.number),
    i(({ loan, instalment }) => toDecimal(instalment.paid, loan.currency)),
    i(({ instalment }) => instalment.paidOn ?? null),
    i(({ instalment }) => instalment.updatedAt),
    events.map(({ type }) => type),
    events.map(({ loanId }) => loanId),
    events.map(({ id }) => id),
    events.map(({ payload }) => payload),
  ]);
}

/** A column's name and type; the statement takes an array of each. */
const columnsOf = (list: string) => list.split(', ').map((column) => column.split(' ') as [string, string]);
const names = (columns: [string, string][]) => columns.map(([name]) => name).join(', ');
function unnested(columns: [string, string][], alias: string, from: number): string {
  const arrays = columns.map(([, type], n) => `$${from + n}::${type}[]`).join(', ');
  return `unnest(${arrays}) as ${alias} (${names(columns)})`;
}

const accountColumns = accounts.map((account) => `${account} numeric`).join(', ');
const newTransfers = columnsOf(
  `loan_id text, version bigint, id uuid, key text, request_hash uuid, kind text, effective_on date, recorded_at timestamptz, ` +
    `currency text, ${accountColumns}, principal_after numeric, interest_after numeric, fees_after numeric, ` +
    'suspense_after numeric, charges numeric, scheduled numeric, reverses uuid, reverses_kind text, reversed_before numeric, ' +
    'reason text, actor text, payment_id text, reference text, details json',
);
const newPositions = columnsOf(
  `loan_id text, version bigint, ${accountColumns}, disbursed numeric, charges_open numeric, scheduled_paid numeric, ` +
    'accrual_base numeric, accrued numeric, updated_at timestamptz',
);
const newPaid = columnsOf(
  'loan_id text, schedule_id text, number int, paid numeric, paid_on date, updated_at timestamptz',
);
const newEvents = columnsOf('topic text, key text, event_id uuid, payload text');
const set = (columns: [string, string][], alias: string) =>
  columns.map(([name]) => `${name} = ${alias}.${name}`).join(', ');

const saveStatement = `
  with inserted as (
    insert into ledger.transfers (${names(newTransfers)})
    select * from ${unnested(newTransfers, 'n', 1)} order by loan_id, version
  ), moved as (
    update ledger.positions p set ${set(newPositions.slice(1), 'm')}
    from ${unnested(newPositions, 'm', 1 + newTransfers.length)}
    where p.loan_id = m.loan_id
  ), paid as (
    update ledger.instalments i set ${set(newPaid.slice(3), 'c')}
    from ${unnested(newPaid, 'c', 1 + newTransfers.length + newPositions.length)}
    where i.loan_id = c.loan_id and i.schedule_id = c.schedule_id and i.number = c.number
  )
  insert into outbox.messages (destination, topic, key, event_id, payload)
  select 'inbox', e.* from ${unnested(newEvents, 'e', 1 + newTransfers.length + newPositions.length + newPaid.length)}`;
