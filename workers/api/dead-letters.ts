// Dead letters: events that could not be read or folded. Staff replay them once that is mended, or discard them.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import { parseInstant } from '../../shared/calendar-date.ts';
import {
  type Chosen,
  type Decided,
  type Decision,
  deadLetterStatuses,
  decidedAtOnce,
} from '../../shared/dead-letters/dead-letter.ts';
import { discardDeadLetters } from '../../shared/dead-letters/discard-dead-letters.ts';
import { replayDeadLetters } from '../../shared/dead-letters/replay-dead-letters.ts';
import { isUuid } from '../../shared/id.ts';
import { readDeadLetter, readDeadLetters } from '../../shared/read/dead-letters.ts';
import { type RequestContext, refuse, type Scope } from '../app.ts';
import { actorOf, type createCallerCheck } from '../caller.ts';
import { openDatabase } from '../database.ts';
import { jsonBody } from '../json-body.ts';
import type { ApiSettings } from './env.ts';
import { page, pageParameters, validQuery } from './pages.ts';
import { reason } from './reason.ts';

const listParameters = z.object({
  ...pageParameters,
  status: z._default(z.enum(deadLetterStatuses, 'expected waiting, replayed or discarded'), 'waiting'),
  type: z.optional(z.string()),
  source: z.optional(z.string()),
});

const text = z
  .string('expected a text')
  .check(z.refine((given) => given !== '' && !given.includes('\0'), 'expected a text'));
const instant = z.pipe(
  z
    .string('expected an instant')
    .check(
      z.refine(
        (given) => /(Z|[+-]\d\d:?\d\d)$/i.test(given) && parseInstant(given, 'UTC') !== undefined,
        'expected an instant with its offset',
      ),
    ),
  z.transform((given) => parseInstant(given, 'UTC') as Date),
);
const choice = {
  ids: z.optional(
    z
      .array(z.string('expected a UUID').check(z.refine(isUuid, 'expected a UUID')), 'expected UUIDs')
      .check(
        z.refine(
          ({ length }) => length >= 1 && length <= decidedAtOnce,
          `expected 1 to ${decidedAtOnce} of them`,
        ),
      ),
  ),
  // Strict: a name that is mistyped must not widen what is decided.
  filter: z.optional(
    z.strictObject({
      type: z.optional(text),
      source: z.optional(text),
      reasonPrefix: z.optional(text),
      buriedBefore: z.optional(instant),
    }),
  ),
};
const replaying = z.object(choice);
const discarding = z.object({ ...choice, reason });
const discardingOne = z.object({ reason });

export function deadLetterRoutes(callerCheck: ReturnType<typeof createCallerCheck<ApiSettings>>) {
  const routes = new Hono<Scope<ApiSettings>>();
  const databaseOf = (c: RequestContext<ApiSettings>) => openDatabase(c.get('settings').database);

  routes.get('/', callerCheck('dead-letters:read'), validQuery(listParameters), async (c) => {
    const { limit, after, ...filter } = c.req.valid('query');
    const { rows, next } = await readDeadLetters(databaseOf(c), filter, after, limit);
    return c.json(page(rows, next));
  });

  routes.get('/:id', callerCheck('dead-letters:read'), async (c) => {
    const id = c.req.param('id');
    if (!isUuid(id)) return refuse(c, 'not_found');
    const letter = await readDeadLetter(databaseOf(c), id);
    return letter ? c.json(letter) : refuse(c, 'not_found');
  });

  routes.post('/replay', callerCheck('dead-letters:replay'), async (c) => {
    const body = await jsonBody(c, replaying);
    if (!body.ok) return body.refusal;
    const chosen = chosenOf(body.value);
    if (!chosen) return refuseChoice(c);
    const by = { actor: actorOf(c.get('caller')) };
    return many(c, 'replayed', await replayDeadLetters(databaseOf(c), chosen, by));
  });

  routes.post('/discard', callerCheck('dead-letters:discard'), async (c) => {
    const body = await jsonBody(c, discarding);
    if (!body.ok) return body.refusal;
    const chosen = chosenOf(body.value);
    if (!chosen) return refuseChoice(c);
    const why = { reason: body.value.reason, actor: actorOf(c.get('caller')) };
    return many(c, 'discarded', await discardDeadLetters(databaseOf(c), chosen, why));
  });

  routes.post('/:id/replay', callerCheck('dead-letters:replay'), async (c) => {
    const id = c.req.param('id');
    if (!isUuid(id)) return refuse(c, 'not_found');
    const by = { actor: actorOf(c.get('caller')) };
    return one(c, 'replayed', await replayDeadLetters(databaseOf(c), { ids: [id] }, by));
  });

  routes.post('/:id/discard', callerCheck('dead-letters:discard'), async (c) => {
    const id = c.req.param('id');
    if (!isUuid(id)) return refuse(c, 'not_found');
    const body = await jsonBody(c, discardingOne);
    if (!body.ok) return body.refusal;
    const why = { reason: body.value.reason, actor: actorOf(c.get('caller')) };
    return one(c, 'discarded', await discardDeadLetters(databaseOf(c), { ids: [id] }, why));
  });
  return routes;
}

/** Undefined unless it is exactly one of the two. */
function chosenOf({ ids, filter }: z.output<typeof replaying>): Chosen | undefined {
  if (ids && !filter) return { ids };
  return filter && !ids ? { filter } : undefined;
}

const refuseChoice = (c: RequestContext<ApiSettings>): Response =>
  refuse(c, 'invalid_request', {
    errors: [{ field: 'body', code: 'invalid', message: 'expected either `ids` or `filter`' }],
  });

type Outcome = Decision['status'];

/** Who decided, and about which letters, stands in the letters. */
const log = (c: RequestContext<ApiSettings>, outcome: Outcome, { decided, refused }: Decided) =>
  c.get('log').info('dead_letters', { outcome, decided, refused: refused.length });

function many(c: RequestContext<ApiSettings>, outcome: Outcome, decided: Decided): Response {
  log(c, outcome, decided);
  const refused = decided.refused.map(({ id, status }) =>
    status === null ? { id, code: 'not_found' } : { id, code: 'already_decided', decision: status },
  );
  return c.json({ [outcome]: decided.decided, refused, left: decided.left });
}

function one(c: RequestContext<ApiSettings>, outcome: Outcome, decided: Decided): Response {
  log(c, outcome, decided);
  const [refused] = decided.refused;
  if (refused === undefined) return c.json({ status: outcome });
  return refused.status === null
    ? refuse(c, 'not_found')
    : refuse(c, 'already_decided', { members: { decision: refused.status } });
}
