// Four eyes: requests that wait for a second person, and the limits beyond which there are any. People decide, never keys.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import { cancelRequest, type DecideRefusal, decideRequest } from '../../shared/approvals/decide-request.ts';
import { type LimitedKind, limitedKinds, requestStatuses } from '../../shared/approvals/request.ts';
import { removeLimit, setLimit } from '../../shared/approvals/set-limit.ts';
import { currencyExponent, parseBalance } from '../../shared/money.ts';
import {
  type ApprovalRequest,
  readApprovalLimits,
  readApprovalRequest,
  readApprovalRequests,
} from '../../shared/read/approval-requests.ts';
import { ok, type Result, refused } from '../../shared/result.ts';
import type { Person } from '../../shared/staff/caller.ts';
import type { Permission } from '../../shared/staff/permissions.ts';
import { type RequestContext, refuse, type Scope } from '../app.ts';
import { askedDatabase } from '../caller.ts';
import type { ApiSettings } from './env.ts';
import { exactly } from './ledger-commands.ts';
import { ledgerProblems, refuseLedger } from './ledger-gateway.ts';
import { factsOf, presentBalance } from './ledger-loan.ts';
import { page, pageParameters } from './pages.ts';
import { route } from './route.ts';
import {
  approval,
  approvalLimit,
  approvalRequest,
  approvalRequestWhole,
  cancellation,
  limitSet,
  rejection,
} from './shapes/ledger.ts';
import { byId, pageOf } from './shapes/values.ts';
import { unnamedReads } from './sight.ts';

type C = RequestContext<ApiSettings>;

const tag = 'Approvals';

/** What whoever decides has to be allowed to do themselves. */
const permissionFor: Record<LimitedKind, Permission> = {
  fee_waiver: 'ledger:waive',
  write_off: 'ledger:write-off',
  adjustment: 'ledger:adjust',
  disbursement: 'ledger:disburse',
};

function personOf(c: C): Result<Person, Response> {
  const caller = c.get('caller');
  return caller.kind === 'user' ? ok(caller) : refused(refuse(c, 'person_required'));
}

function refuseDecision(c: C, refusal: DecideRefusal): Response {
  switch (refusal.kind) {
    case 'unknown_request':
      return refuse(c, 'not_found');
    case 'own_request':
    case 'not_own_request':
      return refuse(c, refusal.kind);
    case 'already_decided':
      return refuse(c, 'already_decided', { members: { decision: refusal.decision } });
  }
}

/** The loan now, as its ledger has it. */
const presentFacts = async (c: C, { accountId, currency }: ApprovalRequest) => {
  const balance = await presentBalance(c, { accountId, currency });
  return balance.ok ? ok(factsOf(balance.value)) : balance;
};

async function decide(
  c: C,
  decision: 'approved' | 'rejected',
  asked: { comment?: string | null | undefined; loanVersion?: string | null | undefined },
): Promise<Response> {
  const person = personOf(c);
  if (!person.ok) return person.refusal;
  const request = await readApprovalRequest(unnamedReads(c), c.req.param('id') as string);
  if (!request) return refuse(c, 'not_found');
  const { id, kind, status, accountId, requestedBy: maker } = request;
  if (!person.value.grants.has(permissionFor[kind as LimitedKind])) return refuse(c, 'beyond_own_rights');
  // Whoever may not decide is told so before the ledger is asked.
  const needsFacts = decision === 'approved' && status === 'requested' && maker !== person.value.actor;
  const present = needsFacts ? await presentFacts(c, request) : undefined;
  if (present && !present.ok) return refuseLedger(c, present.refusal, accountId);
  const facts = present?.value ?? null;
  if (facts && facts.version !== request.facts.version && facts.version !== asked.loanVersion) {
    return refuse(c, 'loan_changed', { members: { asked: request.facts, present: facts } });
  }
  const decided = await decideRequest(askedDatabase(c), person.value, {
    ...{ id, maker, decision, facts, note: asked.comment ?? null },
  });
  c.get('log').info('approval_decision', { id, decision, outcome: decided.ok ? 'ok' : decided.refusal.kind });
  if (!decided.ok) return refuseDecision(c, decided.refusal);
  return c.json(await readApprovalRequest(unnamedReads(c), id));
}

const listParameters = z.object({
  ...pageParameters,
  status: z.optional(z.enum(requestStatuses, `expected ${requestStatuses.join(', ')}`)),
  kind: z.optional(z.enum(limitedKinds, `expected ${limitedKinds.join(', ')}`)),
  account: z.optional(z.string().check(z.meta({ description: 'The id of a loan' }))),
  requestedBy: z.optional(z.string().check(z.meta({ description: 'As `user:<name>`' }))),
});

const deciding = {
  permission: 'requests:decide',
  tag,
  params: byId,
  answers: { 200: approvalRequest },
} as const;
const decisionProblems = [
  ...(['person_required', 'own_request', 'beyond_own_rights', 'already_decided'] as const),
] as const;

export const approvalRequestRoutes = new Hono<Scope<ApiSettings>>()
  .get(
    ...route(
      '/',
      {
        permission: 'requests:read',
        summary: 'Requests that wait for a second person, and what became of earlier ones; newest first',
        tag,
        query: listParameters,
        answers: { 200: pageOf(approvalRequest) },
      },
      async (c) => {
        const { limit, after, account, ...filter } = c.req.valid('query');
        const asked = { ...filter, accountId: account };
        const { rows, next } = await readApprovalRequests(unnamedReads(c), asked, after, limit);
        return c.json(page(rows, next));
      },
    ),
  )
  .get(
    ...route(
      '/:id',
      {
        permission: 'requests:read',
        summary: 'One request; while it waits, with the loan as it is now',
        tag,
        params: byId,
        answers: { 200: approvalRequestWhole },
      },
      async (c) => {
        const request = await readApprovalRequest(unnamedReads(c), c.req.param('id'));
        if (!request) return refuse(c, 'not_found');
        const now = request.status === 'requested' ? await presentFacts(c, request) : undefined;
        const present = now?.ok ? now.value : null;
        const changed = present && present.version !== request.facts.version;
        return c.json({ ...request, present, changed });
      },
    ),
  )
  .post(
    ...route(
      '/:id/approve',
      {
        ...deciding,
        summary: 'Approves a request of somebody else: the ledger does exactly what was asked for, once',
        description:
          'When the loan has changed since, `loanVersion` names the version that was looked at. What came of it is in the request later: `executed` or `failed`.',
        body: approval,
        problems: [...decisionProblems, 'loan_changed', ...ledgerProblems],
      },
      (c) => decide(c, 'approved', c.req.valid('json')),
    ),
  )
  .post(
    ...route(
      '/:id/reject',
      {
        ...deciding,
        summary: 'Rejects a request of somebody else',
        body: rejection,
        problems: decisionProblems,
      },
      (c) => decide(c, 'rejected', c.req.valid('json')),
    ),
  )
  .post(
    ...route(
      '/:id/cancel',
      {
        permission: 'requests:read',
        summary: 'Whoever made a request takes it back',
        tag,
        params: byId,
        body: cancellation,
        answers: { 200: approvalRequest },
        problems: ['person_required', 'not_own_request', 'already_decided'],
      },
      async (c) => {
        const person = personOf(c);
        if (!person.ok) return person.refusal;
        const asked = { id: c.req.param('id'), note: c.req.valid('json').comment ?? null };
        const cancelled = await cancelRequest(askedDatabase(c), person.value, asked);
        if (!cancelled.ok) return refuseDecision(c, cancelled.refusal);
        return c.json(await readApprovalRequest(unnamedReads(c), asked.id));
      },
    ),
  );

const byLimit = z.object({
  role: z.string().check(z.regex(/^[a-z][a-z0-9-]{0,63}$/)),
  kind: z.enum(limitedKinds),
  currency: z.string().check(
    z.refine((code) => currencyExponent(code) !== undefined),
    z.meta({ pattern: '^[A-Z]{3}$' }),
  ),
});
const limitOf = (c: C) => c.req.param() as { role: string; kind: LimitedKind; currency: string };

export const approvalLimitRoutes = new Hono<Scope<ApiSettings>>()
  .get(
    ...route(
      '/',
      {
        permission: 'requests:read',
        summary: 'Up to how much somebody with a role does alone; what is not listed nobody does alone',
        tag,
        answers: { 200: z.object({ data: z.array(approvalLimit) }) },
      },
      async (c) => c.json({ data: await readApprovalLimits(unnamedReads(c)) }),
    ),
  )
  .put(
    ...route(
      '/:role/:kind/:currency',
      {
        permission: 'limits:manage',
        summary: 'Sets a limit; programs with a key have those of the role `service`',
        description: 'Not of a role that the caller has.',
        tag,
        params: byLimit,
        body: limitSet,
        answers: { 200: z.omit(approvalLimit, { setBy: true, changedAt: true }) },
        problems: ['own_rights'],
      },
      async (c) => {
        const limit = limitOf(c);
        const amount = exactly(c.req.valid('json').amount, limit.currency, 'amount', parseBalance);
        if (!amount.ok) return refuse(c, 'invalid_request', { errors: [amount.refusal] });
        const set = { ...limit, amount: amount.value };
        const done = await setLimit(askedDatabase(c), c.get('caller'), set);
        return done.ok ? c.json(set) : refuse(c, 'own_rights');
      },
    ),
  )
  .delete(
    ...route(
      '/:role/:kind/:currency',
      {
        permission: 'limits:manage',
        summary: 'Removes a limit: nobody with the role does this alone any more',
        tag,
        params: byLimit,
        answers: { 204: null },
        problems: ['own_rights'],
      },
      async (c) => {
        const done = await removeLimit(askedDatabase(c), c.get('caller'), limitOf(c));
        if (done.ok) return c.body(null, 204);
        return refuse(c, done.refusal === 'own_limit' ? 'own_rights' : 'not_found');
      },
    ),
  );
