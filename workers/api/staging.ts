// Quarantined rows of the staging table: staff see what is wrong with each, correct it, and put it back to be processed.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import { parseInstant } from '../../shared/calendar-date.ts';
import { isNumberSource, type NumberSource, readExactJson } from '../../shared/exact-json.ts';
import { requestJob } from '../../shared/operations/request-job.ts';
import { identifier } from '../../shared/payments/payment-body.ts';
import { currencyMessage, identifierLimits, isCurrency } from '../../shared/payments/payment-fields.ts';
import { type QuarantinedRow, readQuarantined, readStagingChanges } from '../../shared/read/staging.ts';
import { correctStaged, releaseLimit, releaseStaged } from '../../shared/staging/correct-staged.ts';
import { metadataLimit, type StagedRow } from '../../shared/staging/staged-row.ts';
import { type RequestContext, refuse, type Scope } from '../app.ts';
import { actorOf, askedDatabase } from '../caller.ts';
import { openDatabase } from '../database.ts';
import type { ApiSettings } from './env.ts';
import { requestedRun } from './jobs.ts';
import { pageParameters } from './pages.ts';
import { reason } from './reason.ts';
import { route } from './route.ts';
import { quarantinedRow, quarantinedRowWithChanges } from './shapes/operations.ts';
import { currencyMeta, identifierMeta } from './shapes/requests.ts';
import { pageOf } from './shapes/values.ts';

/** A positive bigint of Postgres. */
const isRowId = (text: string) => /^[1-9]\d{0,18}$/.test(text) && BigInt(text) <= 9223372036854775807n;

/** But for the largest of them. */
const rowIdPattern = '^[1-9][0-9]{0,17}$';

const encode = (id: string) => btoa(`row|${id}`);
function decode(text: string): string | undefined {
  try {
    const [kind, id = '', ...rest] = atob(text).split('|');
    return kind === 'row' && isRowId(id) && rest.length === 0 ? id : undefined;
  } catch {
    return undefined;
  }
}

const listParameters = z.object({
  limit: pageParameters.limit,
  after: z.optional(
    z.pipe(
      z
        .string()
        .check(z.refine((text) => decode(text) !== undefined, 'expected the `next` of an earlier page')),
      z.transform((text) => decode(text) as string),
    ),
  ),
  reason: z.optional(z.string()),
});

const note = z.nullish(reason);

const dateMessage = 'expected YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS without offset, a time of the business zone';
const isLocalTime = (text: string) =>
  /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?$/.test(text) && parseInstant(text, 'UTC') !== undefined;
/** For days that every month has. */
const localTimePattern =
  '^[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])(T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\\.[0-9]{1,6})?)?)?$';
const described = (field: keyof typeof identifierLimits) =>
  identifier(field).check(z.meta(identifierMeta(identifierLimits[field])));
const isObject = (value: unknown) =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !isNumberSource(value);

/** Each field by its own rule; whether the row is right as a whole is told by its processing. */
const columns = z.strictObject(
  {
    referenceNumber: z.optional(described('reference_number')),
    loanAccountNumber: z.optional(described('loan_account_number')),
    cif: z.optional(described('cif')),
    amount: z.optional(
      z
        .custom<string | NumberSource>(
          (value) =>
            /^\d{1,13}(\.\d{1,4})?$/.test(
              isNumberSource(value) ? value.rawJSON : typeof value === 'string' ? value : '',
            ),
          'expected a decimal number or text, like 100.50',
        )
        .check(
          z.meta({
            anyOf: [
              { type: 'string', pattern: '^[0-9]{1,13}(\\.[0-9]{1,4})?$' },
              { type: 'integer', minimum: 0, maximum: 9_999_999_999_999 },
              { type: 'number', minimum: 0, exclusiveMaximum: 1e13 },
            ],
          }),
        ),
    ),
    currency: z.optional(
      z.nullable(
        z.string(currencyMessage).check(z.refine(isCurrency, currencyMessage), z.meta(currencyMeta)),
      ),
    ),
    paymentDate: z.optional(
      z
        .string(dateMessage)
        .check(
          z.refine(isLocalTime, dateMessage),
          z.meta({ description: 'Of the business zone', pattern: localTimePattern }),
        ),
    ),
    paymentChannel: z.optional(z.nullable(described('payment_channel'))),
    metadata: z.optional(
      z
        .custom<object>(
          (value) => isObject(value) && JSON.stringify(value).length <= metadataLimit,
          `expected an object of at most ${metadataLimit} characters`,
        )
        .check(z.meta({ type: 'object' })),
    ),
    note,
  },
  'expected an object',
);
const correction = columns.check(
  z.meta({
    anyOf: Object.keys(columns.shape).flatMap((name) => (name === 'note' ? [] : [{ required: [name] }])),
  }),
);

function changesOf(given: z.output<typeof correction>): Partial<StagedRow> {
  const { amount, metadata } = given;
  const named: { [Column in keyof StagedRow]: StagedRow[Column] | undefined } = {
    reference_number: given.referenceNumber,
    loan_account_number: given.loanAccountNumber,
    cif: given.cif,
    amount: isNumberSource(amount) ? amount.rawJSON : amount,
    currency: given.currency,
    payment_date: given.paymentDate,
    payment_channel: given.paymentChannel,
    metadata: metadata === undefined ? undefined : JSON.stringify(metadata),
  };
  return Object.fromEntries(
    Object.entries(named).filter(([, value]) => value !== undefined),
  ) as Partial<StagedRow>;
}

const release = z.object({ note }, 'expected an object');
const manyOf = z.strictObject(
  {
    ids: z.optional(
      z
        .array(
          z
            .string('expected an id')
            .check(z.refine(isRowId, 'expected an id'), z.meta({ pattern: rowIdPattern })),
          'expected a list of ids',
        )
        .check(z.minLength(1, 'expected at least one id'), z.maxLength(1_000, 'expected at most 1000 ids')),
    ),
    reason: z.optional(z.string('expected a text').check(z.minLength(1, 'expected a text'))),
    note,
  },
  'expected an object',
);
const releaseMany = manyOf.check(z.meta({ anyOf: [{ required: ['ids'] }, { required: ['reason'] }] }));

const exact = (text: string | null) => (text === null ? null : readExactJson(text));
const shown = (row: QuarantinedRow) => ({
  ...row,
  faults: exact(row.faults),
  // What is too long to be shown whole is no JSON any more.
  metadata: row.metadata !== null && row.metadata.length > metadataLimit ? row.metadata : exact(row.metadata),
});

const byRowId = z.object({
  id: z.string().check(z.refine(isRowId), z.meta({ pattern: rowIdPattern })),
});

const refuseBody = (c: RequestContext<ApiSettings>, message: string) =>
  refuse(c, 'invalid_request', { errors: [{ field: 'body', code: 'invalid', message }] });

const tag = 'Staged rows';

export const stagingRoutes = new Hono<Scope<ApiSettings>>()
  .post(
    ...route(
      '/run',
      {
        permission: 'jobs:run',
        summary: 'Has what is staged now taken to the payments',
        description: 'The same as asking for the job by its name. It needs no body.',
        tag,
        answers: { 202: requestedRun },
      },
      async (c) => {
        const request = { job: 'staging' as const, actor: actorOf(c.get('caller')) };
        return c.json(await requestJob(askedDatabase(c), request), 202);
      },
    ),
  )
  .get(
    ...route(
      '/quarantined',
      {
        permission: 'staging:read',
        summary: 'Staged rows that cannot become a payment, the latest staged first',
        tag,
        query: listParameters,
        answers: { 200: pageOf(quarantinedRow) },
      },
      async (c) => {
        const { limit, after, reason } = c.req.valid('query');
        const db = openDatabase(c.get('settings').database);
        const { rows, next } = await readQuarantined(db, { reason }, after, limit);
        return c.json({ data: rows.map(shown), next: next === undefined ? null : encode(next) });
      },
    ),
  )
  .get(
    ...route(
      '/quarantined/:id',
      {
        permission: 'staging:read',
        summary: 'One such row, with what was done to it',
        tag,
        params: byRowId,
        answers: { 200: quarantinedRowWithChanges },
      },
      async (c) => {
        const id = c.req.param('id');
        const db = openDatabase(c.get('settings').database);
        const [{ rows }, changes] = await Promise.all([
          readQuarantined(db, { id }, undefined, 1),
          readStagingChanges(db, id),
        ]);
        if (!rows[0]) return refuse(c, 'not_found');
        const history = changes.map((change) => ({
          ...change,
          before: exact(change.before),
          after: exact(change.after),
        }));
        return c.json({ ...shown(rows[0]), changes: history });
      },
    ),
  )
  .patch(
    ...route(
      '/quarantined/:id',
      {
        permission: 'staging:correct',
        summary: 'Corrects fields of a row',
        description: 'At least one. What was there before is kept.',
        tag,
        params: byRowId,
        body: correction,
        exactNumbers: true,
        answers: { 200: z.object({ status: z.literal('corrected') }) },
      },
      async (c) => {
        const body = c.req.valid('json');
        const changes = changesOf(body);
        if (Object.keys(changes).length === 0) {
          return refuseBody(c, 'expected at least one field to correct');
        }
        const { note = null } = body;
        const correcting = { id: c.req.param('id'), changes, note, actor: actorOf(c.get('caller')) };
        const corrected = await correctStaged(askedDatabase(c), correcting);
        return corrected ? c.json({ status: 'corrected' }) : refuse(c, 'not_found');
      },
    ),
  )
  .post(
    ...route(
      '/quarantined/:id/release',
      {
        permission: 'staging:correct',
        summary: 'Puts a row back to be processed',
        tag,
        params: byRowId,
        body: release,
        answers: { 200: z.object({ status: z.literal('released') }) },
      },
      async (c) => {
        const { note = null } = c.req.valid('json');
        const which = { ids: [c.req.param('id')], reason: null, note, actor: actorOf(c.get('caller')) };
        const released = await releaseStaged(askedDatabase(c), which);
        return released > 0 ? c.json({ status: 'released' }) : refuse(c, 'not_found');
      },
    ),
  )
  .post(
    ...route(
      '/quarantined/release',
      {
        permission: 'staging:correct',
        summary: 'Puts many rows back',
        description: '`ids`, all of one `reason`, or those of both; 10000 at most, the oldest first.',
        tag,
        body: releaseMany,
        answers: { 200: z.object({ released: z.int(), more: z.boolean() }) },
      },
      async (c) => {
        const { ids = null, reason = null, note = null } = c.req.valid('json');
        if (ids === null && reason === null) return refuseBody(c, 'expected ids, a reason, or both');
        const which = { ids, reason, note, actor: actorOf(c.get('caller')) };
        const released = await releaseStaged(askedDatabase(c), which);
        return c.json({ released, more: released === releaseLimit });
      },
    ),
  );
