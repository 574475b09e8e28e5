// An API key as those see it who manage keys, and who may make or replace one: nobody gives a program what they do not
// hold themselves, towards everybody, because a key has no team.

import { ok, type Result, refused } from '../result.ts';
import type { Caller } from './caller.ts';
import type { Permission } from './permissions.ts';
import { beyond } from './reach.ts';
import { grantsOf } from './roles.ts';

export interface Key {
  prefix: string;
  name: string;
  scopes: string[];
  status: 'live' | 'expired' | 'revoked';
  createdBy: string;
  createdAt: Date;
  expiresAt: Date | null;
  lastUsedAt: Date | null;
  revokedAt: Date | null;
  revokedBy: string | null;
  /** The key in whose place it came, and the one that came in its own. */
  replaces: string | null;
  replacedBy: string | null;
}

export type KeyRefusal =
  | { kind: 'beyond_own_rights'; permissions: Permission[] }
  | { kind: 'expiry_out_of_range'; maxDays: number };

const dayMs = 24 * 60 * 60 * 1_000;

/** How long keys may live: so many days, or, when it is 0, for as long as one likes. */
export interface KeyLimits {
  maxDays: number;
}

/** Whether the caller may hand out a key that is worth this. */
export function mayHandOut(
  caller: Caller,
  key: { scopes: readonly string[]; expiresAt: Date | null },
  { maxDays }: KeyLimits,
  now: Date,
): Result<void, KeyRefusal> {
  const permissions = beyond(
    caller.grants,
    grantsOf(
      [],
      key.scopes.map((scope) => [scope, 'all']),
    ),
  );
  if (permissions.length > 0) return refused({ kind: 'beyond_own_rights', permissions });
  const lives = key.expiresAt === null ? Number.POSITIVE_INFINITY : key.expiresAt.getTime() - now.getTime();
  const isInRange = lives > 0 && (maxDays === 0 || lives <= maxDays * dayMs);
  return isInRange ? ok(undefined) : refused({ kind: 'expiry_out_of_range', maxDays });
}

/** When the successor ends, unless told: it lives as long as the key was to live, as far as the limit allows. */
export function successorsEnd(
  key: { createdAt: Date; expiresAt: Date | null },
  { maxDays }: KeyLimits,
  now: Date,
): Date | null {
  const lifetime =
    key.expiresAt === null ? Number.POSITIVE_INFINITY : key.expiresAt.getTime() - key.createdAt.getTime();
  const longest = maxDays === 0 ? Number.POSITIVE_INFINITY : maxDays * dayMs;
  const lives = Math.min(lifetime, longest);
  return lives === Number.POSITIVE_INFINITY ? null : new Date(now.getTime() + lives);
}
