// The views that somebody sees: their own, and those shared with everybody or with their team, of lists that they may
// read at all.

import type { Database } from '../database.ts';
import { pageKeys, type TextPage } from '../read/page.ts';
import { ok, type Result, refused } from '../result.ts';
import type { Caller } from '../staff/caller.ts';
import { findView, listViews, type Viewer } from './store.ts';
import { type View, type ViewList, viewListNames, viewLists } from './view.ts';

export const viewerOf = (caller: Caller): Viewer => ({
  actor: caller.actor,
  team: caller.kind === 'user' ? caller.team : null,
  lists: viewListNames.filter((list) => caller.grants.has(viewLists[list])),
});

const keys = pageKeys('views', 'text', 'uuid');

/** In the order of their names. Throws DatabaseFault. */
export async function readViews(
  db: Database,
  caller: Caller,
  { list, after, limit }: { list?: ViewList | undefined; after?: string | undefined; limit: number },
): Promise<Result<TextPage<View>, 'foreign_key'>> {
  const place = after === undefined ? [] : keys.decode(after);
  if (!place) return refused('foreign_key');
  const views = await listViews(db, viewerOf(caller), { list, after: place, limit: limit + 1 });
  const last = views.length > limit ? views[limit - 1] : undefined;
  return ok({ rows: views.slice(0, limit), next: last && keys.encode([last.name, last.id]) });
}

export const readView = (db: Database, caller: Caller, id: string): Promise<View | undefined> =>
  findView(db, viewerOf(caller), id);
