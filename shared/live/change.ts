// What changed, as it is told to those who watch: of which kind, and which ones. Never what it says of anybody.

import type { Caller } from '../staff/caller.ts';
import type { Permission } from '../staff/permissions.ts';

/** What it takes to be told of each kind. */
export const changeKinds = {
  payments: 'payments:read',
  accounts: 'customers:read',
  approvals: 'customers:read',
} as const satisfies Record<string, Permission>;

export type ChangeKind = keyof typeof changeKinds;

export interface Change {
  transaction: bigint;
  kind: ChangeKind;
  /** Reference numbers, account ids, request ids; null: too many to tell. */
  ids: string[] | null;
  /** Numbers or ids of the loans that they are about. */
  accounts: string[] | null;
}

export const kindsFor = (grants: Caller['grants']): ChangeKind[] =>
  (Object.keys(changeKinds) as ChangeKind[]).filter((kind) => grants.has(changeKinds[kind]));

export type Told = Partial<Record<ChangeKind, Pick<Change, 'ids' | 'accounts'>>>;

const toldAtOnce = 100;

/** Many changes as one message, each thing once; undefined when none of them is of these kinds. */
export function gather(changes: readonly Change[], kinds: readonly ChangeKind[]): Told | undefined {
  const told: Told = {};
  for (const kind of kinds) {
    const some = changes.filter((change) => change.kind === kind);
    if (some.length > 0) told[kind] = { ids: distinct(some, 'ids'), accounts: distinct(some, 'accounts') };
  }
  return Object.keys(told).length > 0 ? told : undefined;
}

function distinct(changes: readonly Change[], names: 'ids' | 'accounts'): string[] | null {
  if (changes.some((change) => change[names] === null)) return null;
  const all = new Set(changes.flatMap((change) => change[names] as string[]));
  return all.size <= toldAtOnce ? [...all] : null;
}
