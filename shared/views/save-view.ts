// Saves, changes and removes views. Sharing needs a permission, whose reach says with whom: `team` with one's own team,
// `all` with everybody. Who may share with everybody also removes what others share.

import type { Database } from '../database.ts';
import { ok, type Result, refused } from '../result.ts';
import type { Caller } from '../staff/caller.ts';
import { readView, viewerOf } from './read-views.ts';
import { deleteView, insertView, updateView } from './store.ts';
import type { View, ViewContent } from './view.ts';

export type SaveViewRefusal =
  | { kind: 'unknown_view' }
  /** A list that the caller may not read. */
  | { kind: 'unknown_list' }
  /** With whom they may not share. */
  | { kind: 'sharing' }
  | { kind: 'name_taken' }
  | { kind: 'limit_reached' }
  | { kind: 'changed_meanwhile'; present: View };

function faultOf(caller: Caller, { list, sharedWith }: ViewContent): SaveViewRefusal | undefined {
  const { lists, team } = viewerOf(caller);
  if (!lists.includes(list)) return { kind: 'unknown_list' };
  const reach = caller.grants.get('views:share');
  const mayShare = {
    nobody: true,
    team: team !== null && (reach === 'team' || reach === 'all'),
    everybody: reach === 'all',
  };
  return mayShare[sharedWith] ? undefined : { kind: 'sharing' };
}

/** Throws DatabaseFault. Repeated it is refused as `name_taken`. */
export async function saveView(
  db: Database,
  caller: Caller,
  content: ViewContent,
): Promise<Result<View, SaveViewRefusal>> {
  const fault = faultOf(caller, content);
  if (fault) return refused(fault);
  const saved = await insertView(db, viewerOf(caller), content);
  return typeof saved === 'string' ? refused({ kind: saved }) : ok(saved);
}

/** A shared view that is somebody else's is refused as one that is not there. */
export async function changeView(
  db: Database,
  caller: Caller,
  place: { id: string; version: number },
  content: ViewContent,
): Promise<Result<View, SaveViewRefusal>> {
  const fault = faultOf(caller, content);
  if (fault) return refused(fault);
  const saved = await updateView(db, viewerOf(caller), place, content);
  if (saved === 'name_taken') return refused({ kind: saved });
  return saved ? ok(saved) : refused(await whyNot(db, caller, place.id, false));
}

export async function removeView(
  db: Database,
  caller: Caller,
  place: { id: string; version: number },
): Promise<Result<undefined, SaveViewRefusal>> {
  const anybodys = caller.grants.get('views:share') === 'all';
  const isRemoved = await deleteView(db, caller.actor, { ...place, anybodys });
  return isRemoved ? ok(undefined) : refused(await whyNot(db, caller, place.id, anybodys));
}

async function whyNot(db: Database, caller: Caller, id: string, anybodys: boolean): Promise<SaveViewRefusal> {
  const present = await readView(db, caller, id);
  return present && (anybodys || present.owner === caller.actor)
    ? { kind: 'changed_meanwhile', present }
    : { kind: 'unknown_view' };
}
