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
import { actorOf, askedDatabase } from '../caller.ts';
import { openDatabase } from '../database.ts';
import type { ApiSettings } from './env.ts';
import { page, pageParameters } from './pages.ts';
import { reason } from './reason.ts';
import { route } from './route.ts';
import { deadLetter, wholeDeadLetter } from './shapes/operations.ts';
import { byId, pageOf, uuid } from './shapes/values.ts';

const listParameters = z.object({
  ...pageParameters,
  status: z._default(z.enum(deadLetterStatuses, 'expected waiting, replayed or discarded'), 'waiting'),
  type: z.optional(z.string()),
  source: z.optional(z.string()),
});

const text = z.string('expected a text').check(
  z.refine((given) => given !== '' && !given.includes('\0'), 'expected a text'),
  z.meta({ minLength: 1, pattern: '^[^\\u0000]+$' }),
);
const instant = z.pipe(
  z.string('expected an instant').check(
    z.refine(
      (given) => /(Z|[+-]\d\d:?\d\d)$/i.test(given) && parseInstant(given, 'UTC') !== undefined,
      'expected an instant with its offset',
    ),
    z.meta({ format: 'date-time' }),
  ),
  z.transform((given) => parseInstant(given, 'UTC') as Date),
);
const choice = {
  ids: z.optional(
    z
      .array(
        z.string('expected a UUID').check(z.refine(isUuid, 'expected a UUID'), z.meta({ format: 'uuid' })),
        'expected UUIDs',
      )
      .check(
        z.refine(
          ({ length }) => length >= 1 && length <= decidedAtOnce,
          `expected 1 to ${decidedAtOnce} of them`,
        ),
        z.meta({ minItems: 1, maxItems: decidedAtOnce }),
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
const eitherOr = z.meta({ oneOf: [{ required: ['ids'] }, { required: ['filter'] }] });
const replaying = z.object(choice).check(eitherOr);
const discarding = z.object({ ...choice, reason }).check(eitherOr);
const discardingOne = z.object({ reason });

/** What became of many; those that were not decided are of the ids that were asked for. */
const manyDecided = <Outcome extends 'replayed' | 'discarded'>(outcome: Outcome) =>
  z.object({
    [outcome]: z.int(),
    refused: z.array(
      z.discriminatedUnion('code', [
        z.object({ id: uuid, code: z.literal('not_found') }),
        z.object({
          id: uuid,
          code: z.literal('already_decided'),
          decision: z.enum(['replayed', 'discarded']),
        }),
      ]),
    ),
    left: z.int(),
  } as Record<Outcome | 'left', z.ZodMiniNumber> & { refused: z.ZodMiniType });

const tag = 'Dead letters';

export const deadLetterRoutes = new Hono<Scope<ApiSettings>>()
  .get(
    ...route(
      '/',
      {
        permission: 'dead-letters:read',
        summary: 'Events that could not be folded, newest first',
        description: 'Without what the events say about people.',
        tag,
        query: listParameters,
        answers: { 200: pageOf(deadLetter) },
      },
      async (c) => {
        const { limit, after, ...filter } = c.req.valid('query');
        const db = openDatabase(c.get('settings').database);
        const { rows, next } = await readDeadLetters(db, filter, after, limit);
        return c.json(page(rows, next));
      },
    ),
  )
  .get(
    ...route(
      '/:id',
      {
        permission: 'dead-letters:read',
        summary: 'One letter, whole',
        tag,
        params: byId,
        answers: { 200: wholeDeadLetter },
      },
      async (c) => {
        const letter = await readDeadLetter(openDatabase(c.get('settings').database), c.req.param('id'));
        return letter ? c.json(letter) : refuse(c, 'not_found');
      },
    ),
  )
  .post(
    ...route(
      '/replay',
      {
        permission: 'dead-letters:replay',
        summary: 'Has many read and folded again',
        description: 'Either `ids`, or a `filter`: of what it matches the oldest 500.',
        tag,
        body: replaying,
        answers: { 200: manyDecided('replayed') },
      },
      async (c) => {
        const chosen = chosenOf(c.req.valid('json'));
        if (!chosen) return refuseChoice(c);
        const by = { actor: actorOf(c.get('caller')) };
        return many(c, 'replayed', await replayDeadLetters(askedDatabase(c), chosen, by));
      },
    ),
  )
  .post(
    ...route(
      '/discard',
      {
        permission: 'dead-letters:discard',
        summary: 'Nothing comes of many',
        description: 'Either `ids`, or a `filter`: of what it matches the oldest 500.',
        tag,
        body: discarding,
        answers: { 200: manyDecided('discarded') },
      },
      async (c) => {
        const body = c.req.valid('json');
        const chosen = chosenOf(body);
        if (!chosen) return refuseChoice(c);
        const why = { reason: body.reason, actor: actorOf(c.get('caller')) };
        return many(c, 'discarded', await discardDeadLetters(askedDatabase(c), chosen, why));
      },
    ),
  )
  .post(
    ...route(
      '/:id/replay',
      {
        permission: 'dead-letters:replay',
        summary: 'Has the event read and folded again',
        description: 'It needs no body.',
        tag,
        params: byId,
        answers: { 200: z.object({ status: z.literal('replayed') }) },
        problems: ['already_decided'],
      },
      async (c) => {
        const by = { actor: actorOf(c.get('caller')) };
        return one(
          c,
          'replayed',
          await replayDeadLetters(askedDatabase(c), { ids: [c.req.param('id')] }, by),
        );
      },
    ),
  )
  .post(
    ...route(
      '/:id/discard',
      {
        permission: 'dead-letters:discard',
        summary: 'Nothing comes of the event',
        tag,
        params: byId,
        body: discardingOne,
        answers: { 200: z.object({ status: z.literal('discarded') }) },
        problems: ['already_decided'],
      },
      async (c) => {
        const why = { reason: c.req.valid('json').reason, actor: actorOf(c.get('caller')) };
        const decided = await discardDeadLetters(askedDatabase(c), { ids: [c.req.param('id')] }, why);
        return one(c, 'discarded', decided);
      },
    ),
  );

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
