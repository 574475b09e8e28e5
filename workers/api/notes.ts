// What staff write about customers. Nothing that was written is changed: a note is amended by a further text. Whoever
// may not see what names people sees that there are notes, and not what they say.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import { type ChangeNoteRefusal, changeNote } from '../../shared/notes/change-note.ts';
import { maskNote, type Note } from '../../shared/notes/note.ts';
import { writeNote } from '../../shared/notes/write-note.ts';
import { customerOfNote, readNote, readNotes } from '../../shared/read/notes.ts';
import { customerNamed } from '../../shared/read/resolve.ts';
import { type RequestContext, refuse, type Scope } from '../app.ts';
import { actorOf, askedDatabase } from '../caller.ts';
import { changedMeanwhile, expectedVersion, ifMatch, showVersion } from '../versioned.ts';
import type { ApiSettings } from './env.ts';
import { boundKey, keyHeader } from './once.ts';
import { listParameters, refusePlace } from './pages.ts';
import { route } from './route.ts';
import { amendment, newNote, note as shape } from './shapes/notes.ts';
import { idempotencyKey } from './shapes/requests.ts';
import { byId, pageOf } from './shapes/values.ts';
import { sightOf } from './sight.ts';

type C = RequestContext<ApiSettings>;

const tag = 'Notes';

const seesPeople = (c: C) => c.get('caller').grants.has('customers:personal');
/** To whoever changes a note; the change itself is in the audit trail. */
const shown = (c: C, note: Note): Note => (seesPeople(c) ? note : maskNote(note));

function answerNote(c: C, note: Note, status: 200 | 201 = 200) {
  showVersion(c, note.version);
  c.header('cache-control', 'no-store');
  return c.json(note, status);
}

function refuseChange(c: C, refusal: ChangeNoteRefusal, wanted: object): Response {
  switch (refusal.kind) {
    case 'unknown_note':
      return refuse(c, 'not_found');
    case 'changed_meanwhile':
      return changedMeanwhile(c, shown(c, refusal.present), wanted);
    case 'limit_reached':
      return refuse(c, 'limit_reached');
  }
}

async function change(c: C, wanted: { text: string } | { pinned: boolean }): Promise<Response> {
  const version = expectedVersion(c);
  if (!version.ok) return version.refusal;
  const asked = { id: c.req.param('id') as string, version: version.value, ...wanted };
  const changed = await changeNote(askedDatabase(c), c.get('caller'), asked);
  return changed.ok ? answerNote(c, shown(c, changed.value)) : refuseChange(c, changed.refusal, wanted);
}

export const customerNoteRoutes = new Hono<Scope<ApiSettings>>()
  .get(
    ...route(
      '/:id/notes',
      {
        permission: 'customers:read',
        summary: 'Notes about a customer, the pinned ones first, then the newest',
        description:
          'By any name of theirs; notes about those who were merged into them are theirs. What notes say is masked without `customers:personal`, and audited with it.',
        tag,
        query: z.object(listParameters),
        answers: { 200: pageOf(shape) },
      },
      async (c) => {
        const customer = c.req.param('id');
        const sight = sightOf(c, { by: customer, sql: customerNamed });
        const read = await readNotes(sight.db, customer, c.req.valid('query'));
        if (!read.ok) return read.refusal === 'foreign_key' ? refusePlace(c) : refuse(c, 'not_found');
        const { rows, next } = read.value;
        return c.json({ data: rows.map((note) => sight.seen(note, maskNote)), next: next ?? null });
      },
    ),
  )
  .post(
    ...route(
      '/:id/notes',
      {
        permission: 'notes:write',
        summary: 'Writes a note about a customer',
        description:
          'Under an Idempotency-Key once; a repetition is answered with the note as it is by then. Card numbers are masked.',
        tag,
        headers: idempotencyKey,
        body: newNote,
        answers: { 201: shape },
        problems: ['idempotency_key_reused', 'customer_erased'],
      },
      async (c) => {
        const key = keyHeader(c);
        if (!key.ok) return key.refusal;
        const { text, pinned = false } = c.req.valid('json');
        const bound = await boundKey(c, key.value, { text, pinned });
        const note = { customer: c.req.param('id'), text, pinned, actor: actorOf(c.get('caller')) };
        const written = await writeNote(askedDatabase(c), note, bound);
        if (!written.ok) {
          if (written.refusal === 'unknown_customer') return refuse(c, 'not_found');
          if (written.refusal === 'key_reused') return refuse(c, 'idempotency_key_reused');
          return refuse(c, 'customer_erased');
        }
        if (written.value.repeated) c.header('idempotency-replayed', 'true');
        c.header('location', `/api/v1/notes/${written.value.note.id}`);
        return answerNote(c, shown(c, written.value.note), 201);
      },
    ),
  );

const changing = {
  permission: 'notes:write',
  tag,
  params: byId,
  headers: ifMatch,
  answers: { 200: shape },
} as const;
const versioned = ['version_required', 'changed_meanwhile'] as const;

export const noteRoutes = new Hono<Scope<ApiSettings>>()
  .get(
    ...route(
      '/:id',
      { permission: 'customers:read', summary: 'One note', tag, params: byId, answers: { 200: shape } },
      async (c) => {
        const id = c.req.param('id');
        const sight = sightOf(c, { by: id, sql: customerOfNote });
        const note = await readNote(sight.db, id);
        return note ? answerNote(c, sight.seen(note, maskNote)) : refuse(c, 'not_found');
      },
    ),
  )
  .post(
    ...route(
      '/:id/amendments',
      {
        ...changing,
        summary: 'Adds a text to a note, from the version that If-Match names',
        description:
          'What was written before stays. Whose notes one may amend is the reach of the permission.',
        body: amendment,
        problems: [...versioned, 'limit_reached'],
      },
      (c) => change(c, { text: c.req.valid('json').text }),
    ),
  )
  .put(
    ...route(
      '/:id/pin',
      { ...changing, summary: "Puts a note before its customer's others", problems: versioned },
      (c) => change(c, { pinned: true }),
    ),
  )
  .delete(
    ...route(
      '/:id/pin',
      { ...changing, summary: 'Puts a note back among the others', problems: versioned },
      (c) => change(c, { pinned: false }),
    ),
  );
