// Somebody's live sessions: read, and ended one by one or all. What ends is in the audit trail, and is nobody's within
// five seconds.

import type { Database } from '../database.ts';
import { ok, type Result, refused } from '../result.ts';
import type { ListedSession } from './attempt.ts';
import type { Caller } from './caller.ts';
import { endSessionsOf, isPerson, listSessions, ownerOf, type Whose } from './sign-in-store.ts';

type OfPeople = 'sessions:read' | 'sessions:end';

/** Whose sessions the caller may read or end under this name; undefined for nobody's. Their own need no permission. */
function reachOf(caller: Caller, permission: OfPeople, username: string): Whose | undefined {
  if (caller.kind === 'user' && caller.username === username) return { username };
  const reach = caller.grants.get(permission);
  if (reach === 'all') return { username };
  const team = caller.kind === 'user' ? caller.team : null;
  return reach === 'team' && team !== null ? { username, team } : undefined;
}

/** A page of them, the newest first. */
export async function sessionsOf(
  db: Database,
  caller: Caller,
  username: string,
  page: { after: string | undefined; limit: number },
): Promise<Result<{ sessions: ListedSession[]; next: string | null }, 'unknown'>> {
  const whose = reachOf(caller, 'sessions:read', username);
  if (!whose || !(await isPerson(db, whose))) return refused('unknown');
  const found = await listSessions(db, whose, { after: page.after, limit: page.limit + 1 });
  const sessions = found.slice(0, page.limit);
  return ok({ sessions, next: found.length > page.limit ? (sessions.at(-1)?.id ?? null) : null });
}

/** All of somebody's but the one that asks. Answers which it ended. */
export async function endSessions(
  db: Database,
  caller: Caller,
  username: string,
): Promise<Result<string[], 'unknown'>> {
  const whose = reachOf(caller, 'sessions:end', username);
  if (!whose || !(await isPerson(db, whose))) return refused('unknown');
  const but = caller.kind === 'user' ? caller.session.id : undefined;
  return ok(await endSessionsOf(db, whose, { but }, becauseOf(caller, username)));
}

/** Refused alike when there is none, when it has ended and when it is not the caller's to end. */
export async function endSession(
  db: Database,
  caller: Caller,
  sessionId: string,
): Promise<Result<string, 'unknown'>> {
  const owner = await ownerOf(db, sessionId);
  const whose = owner && reachOf(caller, 'sessions:end', owner.username);
  if (!whose) return refused('unknown');
  const because = becauseOf(caller, whose.username);
  const [ended] = await endSessionsOf(db, whose, { only: sessionId }, because);
  return ended === undefined ? refused('unknown') : ok(ended);
}

/** Of a person's session: it ends because they say so. */
export async function signOut(db: Database, person: { username: string; sessionId: string }): Promise<void> {
  await endSessionsOf(db, { username: person.username }, { only: person.sessionId }, 'signed_out');
}

const becauseOf = (caller: Caller, username: string) =>
  caller.kind === 'user' && caller.username === username ? 'by_themselves' : 'by_staff';
