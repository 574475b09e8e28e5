// API keys on behalf of a caller: those they may see, new ones, and successors that take over while the old one still
// works for a while. A key that the caller may not see is not there.

import type { Database } from '../database.ts';
import { ok, type Result, refused } from '../result.ts';
import { generateApiKey } from './api-key.ts';
import type { Caller } from './caller.ts';
import { createApiKey } from './create-key.ts';
import { type Key, type KeyLimits, type KeyRefusal, mayHandOut, successorsEnd } from './key.ts';
import { findKeys, type KeyFilter, type KeyPosition, saveSuccessor } from './key-store.ts';
import type { Permission } from './permissions.ts';
import { circleOf } from './reach.ts';
import { revokeApiKey } from './revoke-key.ts';

type KeyPermission = 'keys:read' | 'keys:manage';

/** Newest first; `next` is where the following page begins. */
export async function readKeys(
  db: Database,
  {
    caller,
    filter,
    after,
    limit,
  }: { caller: Caller; filter: KeyFilter; after?: KeyPosition | undefined; limit: number },
): Promise<{ keys: Key[]; next: KeyPosition | undefined }> {
  const circle = circleOf(caller, 'keys:read');
  if (circle === undefined) return { keys: [], next: undefined };
  const found = await findKeys(db, circle, filter, after, limit + 1);
  const last = found.length > limit ? found[limit - 1] : undefined;
  return {
    keys: found.slice(0, limit).map(({ sortedAt: _, ...key }) => key),
    next: last && { at: last.sortedAt, prefix: last.prefix },
  };
}

export async function readKey(
  db: Database,
  caller: Caller,
  prefix: string,
  permission: KeyPermission = 'keys:read',
): Promise<Key | undefined> {
  const circle = circleOf(caller, permission);
  if (circle === undefined) return undefined;
  const [found] = await findKeys(db, circle, { prefix }, undefined, 1);
  if (!found) return undefined;
  const { sortedAt: _, ...key } = found;
  return key;
}

export async function handOutKey(
  db: Database,
  {
    caller,
    limits,
    ...key
  }: {
    caller: Caller;
    limits: KeyLimits;
    name: string;
    scopes: readonly Permission[];
    expiresAt: Date | null;
  },
): Promise<Result<{ token: string; prefix: string }, KeyRefusal>> {
  const allowed = mayHandOut(caller, key, limits, new Date());
  return allowed.ok ? ok(await createApiKey(db, { ...key, actor: caller.actor })) : allowed;
}

export type RotateKeyRefusal =
  | { kind: 'unknown_key' }
  | { kind: 'key_ended'; status: Key['status']; replacedBy: string | null }
  | KeyRefusal;

export async function rotateKey(
  db: Database,
  {
    caller,
    limits,
    prefix,
    expiresAt,
    graceSeconds,
  }: {
    caller: Caller;
    limits: KeyLimits;
    prefix: string;
    /** Undefined: after as long as the old one had. */
    expiresAt: Date | null | undefined;
    graceSeconds: number;
  },
): Promise<Result<{ token: string; prefix: string; oldEndsAt: Date }, RotateKeyRefusal>> {
  const old = await readKey(db, caller, prefix, 'keys:manage');
  if (!old) return refused({ kind: 'unknown_key' });
  const ended = ({ status, replacedBy }: Key) => refused({ kind: 'key_ended', status, replacedBy } as const);
  if (old.status !== 'live' || old.replacedBy !== null) return ended(old);
  const now = new Date();
  const end = expiresAt === undefined ? successorsEnd(old, limits, now) : expiresAt;
  const allowed = mayHandOut(caller, { scopes: old.scopes, expiresAt: end }, limits, now);
  if (!allowed.ok) return allowed;
  const key = await generateApiKey();
  const graceEnd = new Date(now.getTime() + graceSeconds * 1_000);
  const oldEndsAt = old.expiresAt !== null && old.expiresAt < graceEnd ? old.expiresAt : graceEnd;
  const successor = { prefix: key.prefix, hash: key.hash, expiresAt: end, actor: caller.actor };
  if (await saveSuccessor(db, { prefix, endsAt: oldEndsAt }, successor)) {
    return ok({ token: key.token, prefix: key.prefix, oldEndsAt });
  }
  return ended((await readKey(db, caller, prefix, 'keys:manage')) ?? old);
}

/** False: there is no live key of this prefix that the caller may manage. */
export async function revokeKey(
  db: Database,
  { caller, prefix }: { caller: Caller; prefix: string },
): Promise<boolean> {
  const key = await readKey(db, caller, prefix, 'keys:manage');
  return key !== undefined && (await revokeApiKey(db, { prefix, actor: caller.actor }));
}
