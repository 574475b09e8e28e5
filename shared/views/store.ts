// The views slice's only SQL.

import { type Database, DatabaseFault } from '../database.ts';
import { instant } from '../read/as-text.ts';
import { type View, type ViewContent, type ViewList, viewLimits } from './view.ts';

/** Who looks, and of which lists they may see views. */
export interface Viewer {
  actor: string;
  team: string | null;
  lists: readonly ViewList[];
}

const shown = `v.id, v.owner, v.name, v.list, v.query, v.shared_with as "sharedWith", v.version,
  ${instant('v.created_at')} as "createdAt", ${instant('v.changed_at')} as "changedAt"`;

/** $1 to $3 are the viewer. */
const visible = `v.list = any ($3::text[])
  and (v.owner = $1 or v.shared_with = 'everybody' or (v.shared_with = 'team' and v.team = $2))`;
const viewerParams = ({ actor, team, lists }: Viewer) => [actor, team, lists];

export const listViews = (
  db: Database,
  viewer: Viewer,
  { list, after, limit }: { list: ViewList | undefined; after: readonly string[]; limit: number },
): Promise<View[]> =>
  db.query<View>(
    `select ${shown} from views.views v
     where ${visible} and ($4::text is null or v.list = $4)
       and ($5::text is null or (v.name collate "C", v.id) > ($5 collate "C", $6::uuid))
     order by v.name collate "C", v.id limit $7`,
    [...viewerParams(viewer), list ?? null, after[0] ?? null, after[1] ?? null, limit],
  );

export async function findView(db: Database, viewer: Viewer, id: string): Promise<View | undefined> {
  const [row] = await db.query<View>(`select ${shown} from views.views v where ${visible} and v.id = $4`, [
    ...viewerParams(viewer),
    id,
  ]);
  return row;
}

export type Saved = View | 'name_taken' | 'limit_reached';

export async function insertView(
  db: Database,
  { actor, team }: Viewer,
  { name, list, query, sharedWith }: ViewContent,
): Promise<Saved> {
  const [row] = await db.query<View & { id: string | null; held: number }>(
    `with held as (select count(*)::int as held from views.views where owner = $1),
     added as (
       insert into views.views (owner, name, list, query, shared_with, team)
       select $1, $2, $3, $4::jsonb, $5, $6 from held where held < $7
       on conflict (owner, name) do nothing returning *
     )
     select held, ${shown} from held left join added v on true`,
    [
      ...[actor, name, list, JSON.stringify(query), sharedWith, sharedWith === 'team' ? team : null],
      viewLimits.perOwner,
    ],
  );
  const { held, ...view } = row as View & { id: string | null; held: number };
  if (view.id !== null) return view;
  return held < viewLimits.perOwner ? 'name_taken' : 'limit_reached';
}

/** Undefined when its owner has none of this version. */
export async function updateView(
  db: Database,
  { actor, team }: Viewer,
  { id, version }: { id: string; version: number },
  { name, list, query, sharedWith }: ViewContent,
): Promise<View | 'name_taken' | undefined> {
  try {
    const [row] = await db.query<View>(
      `update views.views v set name = $4, list = $5, query = $6::jsonb, shared_with = $7, team = $8
       where v.id = $1 and v.version = $2 and v.owner = $3 returning ${shown}`,
      [
        ...[id, version, actor, name, list, JSON.stringify(query)],
        ...[sharedWith, sharedWith === 'team' ? team : null],
      ],
    );
    return row;
  } catch (error) {
    if (error instanceof DatabaseFault && error.sqlState === '23505') return 'name_taken';
    throw error;
  }
}

/** False when there is none of this version; `anybodys`: not their own alone. */
export async function deleteView(
  db: Database,
  actor: string,
  { id, version, anybodys }: { id: string; version: number; anybodys: boolean },
): Promise<boolean> {
  const rows = await db.query(
    `delete from views.views v
     where v.id = $1 and v.version = $2 and (v.owner = $3 or $4 and v.shared_with <> 'nobody') returning 1`,
    [id, version, actor, anybodys],
  );
  return rows.length > 0;
}
