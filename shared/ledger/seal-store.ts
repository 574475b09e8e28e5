// The ledger's SQL of sealing and verifying.

import type { Database } from '../database.ts';
import { accounts } from './posting.ts';

export async function seal(db: Database, limit: number): Promise<number> {
  const [row] = await db.query<{ sealed: number }>('select ledger.seal($1) as sealed', [limit]);
  return row?.sealed ?? 0;
}

export interface Seal {
  position: number;
  /** Hex, 64 characters for each transfer. */
  digests: string;
  hash: string;
}

export interface Sealed {
  loanId: string;
  version: number;
  /** Null when the transfer is gone. */
  text: string | null;
}

/** The same as ledger.canonical, which whoever changes transfers could change as well. */
const canonical = `jsonb_build_array(t.loan_id, t.version, t.id, t.key, t.request_hash, t.kind, t.effective_on,
  extract(epoch from t.recorded_at)::text, t.currency, t.principal, t.interest, t.fees, t.suspense, t.write_off, t.recovery,
  t.cash, t.income, t.principal_after, t.interest_after, t.fees_after, t.suspense_after, t.charges, t.scheduled, t.reverses,
  t.reverses_kind, t.reversed_before, t.reason, t.actor, t.payment_id, t.reference, t.details::text, t.accrues_on,
  t.transaction_id::text)::text`;

/** In the order of the chain. */
export async function sealsAfter(db: Database, position: number, limit: number): Promise<Seal[]> {
  const rows = await db.query<Seal & { position: string }>(
    `select position, encode(digests, 'hex') as digests, encode(hash, 'hex') as hash
     from ledger.seals where position > $1 order by position limit $2`,
    [position, limit],
  );
  return rows.map((row) => ({ ...row, position: Number(row.position) }));
}

/** Of one seal, in its order. */
export async function sealedBy(db: Database, position: number): Promise<Sealed[]> {
  const rows = await db.query<Sealed & { version: string }>(
    `select k.loan_id as "loanId", k.version, case when t.loan_id is not null then ${canonical} end as text
     from ledger.seals s cross join unnest(s.loan_ids, s.versions) with ordinality as k (loan_id, version, place)
     left join ledger.transfers t on t.loan_id = k.loan_id and t.version = k.version
     where s.position = $1 order by k.place`,
    [position],
  );
  return rows.map((row) => ({ ...row, version: Number(row.version) }));
}

/** Transfers that wait for their seal, and one of them that is not there. */
export async function unsealed(
  db: Database,
): Promise<{ count: number; missing: { loanId: string; version: number } | undefined }> {
  const [row] = await db.query<{ count: string; missing: string[] | null }>(
    `select count(*) as count,
       min(array[k.loan_id, k.version::text]) filter (where t.loan_id is null) as missing
     from ledger.unsealed u cross join unnest(u.loan_ids, u.versions) as k (loan_id, version)
     left join ledger.transfers t on t.loan_id = k.loan_id and t.version = k.version`,
  );
  const [loanId, version] = row?.missing ?? [];
  return {
    count: Number(row?.count ?? 0),
    missing: loanId === undefined ? undefined : { loanId, version: Number(version) },
  };
}

/** A transfer that is neither sealed nor waits for it, or a seal that is there twice. */
export async function outsideSeals(db: Database): Promise<{ loanId: string; version: number } | undefined> {
  const [row] = await db.query<{ loanId: string; version: string }>(
    // Counted and not joined: of lists in rows no planner knows how long they are.
    `select loan_id as "loanId", version
     from (
       select loan_id, version, 1 as there, 0 as known from ledger.transfers
       union all
       select k.loan_id, k.version, 0, 1 from ledger.seals s cross join unnest(s.loan_ids, s.versions) as k (loan_id, version)
       union all
       select k.loan_id, k.version, 0, 1 from ledger.unsealed u cross join unnest(u.loan_ids, u.versions) as k (loan_id, version)
     ) as found
     group by loan_id, version having sum(there) = 1 and sum(known) <> 1 limit 1`,
  );
  return row && { loanId: row.loanId, version: Number(row.version) };
}

export const inconsistencies = {
  unbalanced: 'a transfer that is not balanced',
  decimals: 'an amount with more decimals than its currency has',
  gap: 'versions with a gap',
  afterwards: 'a transfer whose balances afterwards are not what the transfers come to',
  position: 'a position that is not what its transfers come to',
  accrual: 'an accrual that does not follow from principal and days',
  instalments: 'instalments that are not paid by what the transfers have paid',
  reversed: 'a transfer of which more is reversed than there was',
} as const;
export type Inconsistency = keyof typeof inconsistencies;

const owed = ['principal', 'interest', 'fees', 'suspense'] as const;

/** Each is a query for the loans in which something is so. */
const statements: Record<Inconsistency, string> = {
  unbalanced: `select loan_id from ledger.transfers where ${accounts.join(' + ')} <> 0`,
  decimals: `select loan_id from ledger.transfers
    where ${accounts.map((account) => `${account} <> round(${account}, ledger.currency_exponent(currency))`).join(' or ')}`,
  gap: `select p.loan_id from ledger.positions p left join ledger.transfers t on t.loan_id = p.loan_id
    group by p.loan_id, p.version
    having count(t.version) <> p.version or coalesce(min(t.version), 1) <> 1 or coalesce(max(t.version), 0) <> p.version`,
  afterwards: `select loan_id from (
      select loan_id, ${owed.map((account) => `${account}_after, sum(${account}) over up_to_here as ${account}_sum`).join(', ')}
      from ledger.transfers window up_to_here as (partition by loan_id order by version)) as t
    where ${owed.map((account) => `${account}_after <> ${account}_sum`).join(' or ')}`,
  position: `select p.loan_id from ledger.positions p left join ledger.transfers t on t.loan_id = p.loan_id
    group by p.loan_id
    having ${accounts.map((account) => `p.${account} <> coalesce(sum(t.${account}), 0)`).join(' or ')}
      or p.charges_open <> coalesce(sum(t.charges), 0) or p.scheduled_paid <> coalesce(sum(t.scheduled), 0)
      or p.accrued <> coalesce(sum(t.interest) filter (where t.kind = 'accrual'), 0)
      or p.disbursed <> coalesce(sum(t.principal) filter (where t.kind = 'disbursement' or t.reverses_kind = 'disbursement'), 0)`,
  accrual: `select p.loan_id from ledger.positions p
    join ledger.loans l on l.loan_id = p.loan_id
    left join ledger.transfers t on t.loan_id = p.loan_id and t.effective_on <= p.closed_on
    where l.interest_rate_bps > 0
    group by p.loan_id, l.loan_id
    having p.accrual_base <> coalesce(sum(t.principal * ledger.minor_units(l.currency) * l.interest_rate_bps
      * (p.closed_on - greatest(t.effective_on, l.opened_on) + 1)), 0)`,
  instalments: `select p.loan_id from ledger.positions p
    join ledger.instalments i on i.loan_id = p.loan_id and i.schedule_id = p.schedule_id
    group by p.loan_id having sum(i.paid) <> least(p.scheduled_paid, sum(i.amount))`,
  reversed: `select o.loan_id from ledger.transfers o join ledger.transfers r on r.reverses = o.id
    group by o.loan_id, o.version
    having sum(abs(r.cash)) > abs(o.cash) or sum(abs(r.income)) > abs(o.income) or sum(abs(r.write_off)) > abs(o.write_off)`,
};

/** A loan in which this is so. */
export async function findInconsistent(db: Database, what: Inconsistency): Promise<string | undefined> {
  const [row] = await db.query<{ loan_id: string }>(`${statements[what]} limit 1`);
  return row?.loan_id;
}
