// Quarantined rows of the staging table: staff see what is wrong with each, correct it, and put it back to be processed.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import { parseInstant } from '../../shared/calendar-date.ts';
import { isNumberSource, type NumberSource, parseExactJson, readExactJson } from '../../shared/exact-json.ts';
import { requestJob } from '../../shared/operations/request-job.ts';
import { identifier } from '../../shared/payments/payment-body.ts';
import { currencyMessage, isCurrency } from '../../shared/payments/payment-fields.ts';
import { type QuarantinedRow, readQuarantined, readStagingChanges } from '../../shared/read/staging.ts';
import { correctStaged, releaseLimit, releaseStaged } from '../../shared/staging/correct-staged.ts';
import { metadataLimit, type StagedRow } from '../../shared/staging/staged-row.ts';
import { refuse, type Scope } from '../app.ts';
import { actorOf, type createCallerCheck } from '../caller.ts';
import { openDatabase } from '../database.ts';
import { jsonBody } from '../json-body.ts';
import type { ApiSettings } from './env.ts';
import { pageParameters, validQuery } from './pages.ts';

/** A positive bigint of Postgres. */
const isRowId = (text: string) => /^[1-9]\d{0,18}$/.test(text) && BigInt(text) <= 9223372036854775807n;

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

const note = z.nullish(
  z
    .string('expected a text')
    .check(
      z.refine(
        (text) => text.trim().length > 0 && text.length <= 1000 && !text.includes('\0'),
        'expected 1 to 1000 characters',
      ),
    ),
);

const dateMessage = 'expected YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS without offset, a time of the business zone';
const isLocalTime = (text: string) =>
  /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?$/.test(text) && parseInstant(text, 'UTC') !== undefined;
const isObject = (value: unknown) =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !isNumberSource(value);

/** Each field by its own rule; whether the row is right as a whole is told by its processing. */
const correction = z.strictObject(
  {
    referenceNumber: z.optional(identifier('reference_number')),
    loanAccountNumber: z.optional(identifier('loan_account_number')),
    cif: z.optional(identifier('cif')),
    amount: z.optional(
      z.custom<string | NumberSource>(
        (value) =>
          /^\d{1,13}(\.\d{1,4})?$/.test(
            isNumberSource(value) ? value.rawJSON : typeof value === 'string' ? value : '',
          ),
        'expected a decimal number or text, like 100.50',
      ),
    ),
    currency: z.optional(z.nullable(z.string(currencyMessage).check(z.refine(isCurrency, currencyMessage)))),
    paymentDate: z.optional(z.string(dateMessage).check(z.refine(isLocalTime, dateMessage))),
    paymentChannel: z.optional(z.nullable(identifier('payment_channel'))),
    metadata: z.optional(
      z.custom<object>(
        (value) => isObject(value) && JSON.stringify(value).length <= metadataLimit,
        `expected an object of at most ${metadataLimit} characters`,
      ),
    ),
    note,
  },
  'expected an object',
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
const releaseMany = z.strictObject(
  {
    ids: z.optional(
      z
        .array(
          z.string('expected an id').check(z.refine(isRowId, 'expected an id')),
          'expected a list of ids',
        )
        .check(z.minLength(1, 'expected at least one id'), z.maxLength(1_000, 'expected at most 1000 ids')),
    ),
    reason: z.optional(z.string('expected a text').check(z.minLength(1, 'expected a text'))),
    note,
  },
  'expected an object',
);

const exact = (text: string | null) => (text === null ? null : readExactJson(text));
const shown = (row: QuarantinedRow) => ({
  ...row,
  faults: exact(row.faults),
  // What is too long to be shown whole is no JSON any more.
  metadata: row.metadata !== null && row.metadata.length > metadataLimit ? row.metadata : exact(row.metadata),
});

export function stagingRoutes(callerCheck: ReturnType<typeof createCallerCheck<ApiSettings>>) {
  const routes = new Hono<Scope<ApiSettings>>();

  /** The same as asking for the job by its name. */
  routes.post('/run', callerCheck('jobs:run'), async (c) => {
    const db = openDatabase(c.get('settings').database);
    return c.json(await requestJob(db, { job: 'staging', actor: actorOf(c.get('caller')) }), 202);
  });

  routes.get('/quarantined', callerCheck('staging:read'), validQuery(listParameters), async (c) => {
    const { limit, after, reason } = c.req.valid('query');
    const db = openDatabase(c.get('settings').database);
    const { rows, next } = await readQuarantined(db, { reason }, after, limit);
    return c.json({ data: rows.map(shown), next: next === undefined ? null : encode(next) });
  });

  routes.get('/quarantined/:id', callerCheck('staging:read'), async (c) => {
    const id = c.req.param('id');
    if (!isRowId(id)) return refuse(c, 'not_found');
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
  });

  routes.patch('/quarantined/:id', callerCheck('staging:correct'), async (c) => {
    const id = c.req.param('id');
    if (!isRowId(id)) return refuse(c, 'not_found');
    const body = await jsonBody(c, correction, parseExactJson);
    if (!body.ok) return body.refusal;
    const changes = changesOf(body.value);
    if (Object.keys(changes).length === 0) {
      const errors = [{ field: 'body', code: 'invalid', message: 'expected at least one field to correct' }];
      return refuse(c, 'invalid_request', { errors });
    }
    const actor = actorOf(c.get('caller'));
    const db = openDatabase(c.get('settings').database);
    const corrected = await correctStaged(db, { id, changes, note: body.value.note ?? null, actor });
    return corrected ? c.json({ status: 'corrected' }) : refuse(c, 'not_found');
  });

  routes.post('/quarantined/:id/release', callerCheck('staging:correct'), async (c) => {
    const id = c.req.param('id');
    if (!isRowId(id)) return refuse(c, 'not_found');
    const body = await jsonBody(c, release);
    if (!body.ok) return body.refusal;
    const actor = actorOf(c.get('caller'));
    const db = openDatabase(c.get('settings').database);
    const released = await releaseStaged(db, {
      ids: [id],
      reason: null,
      note: body.value.note ?? null,
      actor,
    });
    return released > 0 ? c.json({ status: 'released' }) : refuse(c, 'not_found');
  });

  routes.post('/quarantined/release', callerCheck('staging:correct'), async (c) => {
    const body = await jsonBody(c, releaseMany);
    if (!body.ok) return body.refusal;
    const { ids = null, reason = null, note: why = null } = body.value;
    if (ids === null && reason === null) {
      const errors = [{ field: 'body', code: 'invalid', message: 'expected ids, a reason, or both' }];
      return refuse(c, 'invalid_request', { errors });
    }
    const actor = actorOf(c.get('caller'));
    const db = openDatabase(c.get('settings').database);
    const released = await releaseStaged(db, { ids, reason, note: why, actor });
    return c.json({ released, more: released === releaseLimit });
  });
  return routes;
}
