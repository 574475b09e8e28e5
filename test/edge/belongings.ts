// Whose a thing is that a path names, for the matrix of every route with every role: somebody new makes one of their own,
// and whether others reach it depends on how far their permission goes.

import { writeNote } from '../../shared/notes/write-note.ts';
import { createApiKey } from '../../shared/staff/create-key.ts';
import type { Permission } from '../../shared/staff/permissions.ts';
import type { TestPerson, World } from './world.ts';

type Ids = Record<string, string>;

export interface Belonging {
  /** One of theirs, as the path names it. */
  of(person: TestPerson, world: World): Ids | Promise<Ids>;
  /** What reaches beyond one's own, where the route itself asks for no permission. */
  further?: Permission;
}

const note: Belonging = {
  async of({ username }, { db }) {
    const own = { customer: 'C-1001', text: 'their own', pinned: false, actor: `user:${username}` };
    const written = await writeNote(db, own, undefined);
    if (!written.ok) throw new Error(written.refusal);
    return { id: written.value.note.id };
  },
};
const view: Belonging = {
  async of({ username }, { db }) {
    const [row] = await db.query<{ id: string }>(
      `insert into views.views (owner, name, list, query) values ($1, gen_random_uuid()::text, 'payments', '{}') returning id`,
      [`user:${username}`],
    );
    return { id: (row as { id: string }).id };
  },
};
const person: Belonging = { of: ({ id }) => ({ id }) };

/** By how the path begins. Null: the path names nothing that is somebody's. */
const belongings: Record<string, Belonging | null> = {
  '/api/v1/auth/sessions/:id': { of: ({ sessionId }) => ({ id: sessionId }), further: 'sessions:end' },
  '/api/v1/users/:id': person,
  '/api/users/:id': person,
  '/api/v1/api-keys/:prefix': {
    async of({ username }, { db }) {
      const key = { name: 'their own', scopes: ['payments:read'], expiresAt: null } as const;
      const { prefix } = await createApiKey(db, { ...key, actor: `user:${username}` });
      return { prefix };
    },
  },
  // A customer is nobody's of the staff.
  '/api/v1/customers/:id/notes': null,
  // Read by whoever reads its customer; changed by whom it belongs to.
  '/api/v1/notes/:id/amendments': note,
  '/api/v1/notes/:id/pin': note,
  '/api/v1/notes/:id': null,
  '/api/v1/views/:id': view,
};

/** Undefined: nobody has said. */
export const belongingAt = (path: string): Belonging | null | undefined =>
  Object.entries(belongings).find(
    ([beginning]) => path === beginning || path.startsWith(`${beginning}/`),
  )?.[1];
