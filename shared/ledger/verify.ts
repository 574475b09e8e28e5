// Verifies the ledger: works out the chain of seals anew from the transfers as they are and says where it first breaks,
// and holds positions, instalments and balances to the transfers. What it cannot see by itself is that the end of the
// chain was cut off together with its transfers: that shows against a head that was kept elsewhere.

import type { Head } from '../audit/chain.ts';
import type { Database } from '../database.ts';
import {
  findInconsistent,
  type Inconsistency,
  inconsistencies,
  outsideSeals,
  type Seal,
  sealedBy,
  sealsAfter,
  unsealed,
} from './seal-store.ts';

export { inconsistencies } from './seal-store.ts';

export type Broken =
  | { kind: 'seal_missing'; position: number }
  /** The seal is not what it was, or one was put between. */
  | { kind: 'seal_changed'; position: number }
  | { kind: 'transfer_missing'; position: number; loanId: string; version: number }
  | { kind: 'transfer_changed'; position: number; loanId: string; version: number }
  /** Neither sealed nor waiting for it, or sealed twice. */
  | { kind: 'put_in'; loanId: string; version: number }
  /** It waited for its seal. */
  | { kind: 'unsealed_missing'; loanId: string; version: number }
  /** The chain does not reach so far, or has another hash there. */
  | { kind: 'not_as_expected'; position: number }
  | { kind: 'inconsistent'; what: Inconsistency; loanId: string };

export interface Verified {
  head: Head | undefined;
  /** Transfers that wait for their seal. */
  unsealed: number;
  broken: Broken | undefined;
}

const page = 500;

/** `checked` hears how many seals held so far. Throws DatabaseFault. */
export async function verifyLedger(
  db: Database,
  { expected, checked }: { expected?: Head | undefined; checked: (seals: number) => void },
): Promise<Verified> {
  let head: Head | undefined;
  const found = async (broken: Broken | undefined): Promise<Verified> => ({
    head,
    unsealed: (await unsealed(db)).count,
    broken,
  });
  for (;;) {
    const seals = await sealsAfter(db, head?.position ?? 0, page);
    for (const seal of seals) {
      const due: number = (head?.position ?? 0) + 1;
      if (seal.position !== due) return found({ kind: 'seal_missing', position: due });
      const broken = await brokenBy(db, head?.hash ?? '', seal);
      if (broken) return found(broken);
      if (seal.position === expected?.position && seal.hash !== expected.hash)
        return found({ kind: 'not_as_expected', position: seal.position });
      head = { position: seal.position, hash: seal.hash };
    }
    checked(head?.position ?? 0);
    if (seals.length < page) break;
  }
  if (expected && (head?.position ?? 0) < expected.position)
    return found({ kind: 'not_as_expected', position: expected.position });
  return found((await outside(db)) ?? (await inconsistent(db)));
}

async function brokenBy(db: Database, before: string, seal: Seal): Promise<Broken | undefined> {
  const { position, digests, hash } = seal;
  const transfers = await sealedBy(db, position);
  for (const [n, { loanId, version, text }] of transfers.entries()) {
    if (text === null) return { kind: 'transfer_missing', position, loanId, version };
    if ((await sha256(encoder.encode(text))) !== digests.slice(64 * n, 64 * (n + 1)))
      return { kind: 'transfer_changed', position, loanId, version };
  }
  const sealed =
    transfers.length * 64 === digests.length && (await sha256(bytesOf(before + digests))) === hash;
  return sealed ? undefined : { kind: 'seal_changed', position };
}

async function outside(db: Database): Promise<Broken | undefined> {
  const { missing } = await unsealed(db);
  if (missing) return { kind: 'unsealed_missing', ...missing };
  const putIn = await outsideSeals(db);
  return putIn && { kind: 'put_in', ...putIn };
}

async function inconsistent(db: Database): Promise<Broken | undefined> {
  for (const what of Object.keys(inconsistencies) as Inconsistency[]) {
    const loanId = await findInconsistent(db, what);
    if (loanId !== undefined) return { kind: 'inconsistent', what, loanId };
  }
  return undefined;
}

const encoder = new TextEncoder();
const bytesOf = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));

/** Hex. */
async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('');
}
