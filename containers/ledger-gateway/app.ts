// HTTP in front of the ledger: `POST /v1/<service>/<Method>` with the request message as JSON is answered with the
// response message as JSON. Whoever has no key of the gateway learns nothing. A client that goes away gives its call up.

import { createHash, randomUUID, timingSafeEqual } from 'node:crypto';
import type { JsonValue } from '@bufbuild/protobuf';
import type { HttpBindings } from '@hono/node-server';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { errorFields, type Log } from '../../shared/log.ts';
import { bearerToken } from '../../shared/staff/api-key.ts';
import type { LedgerClient } from '../ledger-client.ts';
import { type ContractMethod, readContract } from '../ledger-contract.ts';
import { type LedgerFailure, LedgerFault } from '../ledger-failure.ts';
import type { GatewayLimits } from './env.ts';
import { eventStream } from './event-stream.ts';
import type { Health } from './health.ts';
import { createMetrics } from './metrics.ts';
import { answerOf, ownProblem, type Problem, problemOf } from './problem.ts';

type Scope = { Bindings: HttpBindings; Variables: { requestId: string } };
type C = Context<Scope>;

const requestIdPattern = /^[\w.:-]{1,128}$/;
/** As the audit trail writes who acts. */
const actorPattern = /^[a-z]{1,20}:[\x21-\x7e]{1,200}$/;

const digest = (text: string) => createHash('sha256').update(text).digest();

export function createGateway({
  ledger,
  health,
  keys,
  limits,
  stopping,
  log,
}: {
  ledger: LedgerClient;
  health: () => Promise<Health>;
  keys: readonly string[];
  limits: GatewayLimits;
  /** Ends streams, and has connections closed with their answers. */
  stopping: AbortSignal;
  log: Log;
}) {
  const contract = readContract();
  const metrics = createMetrics();
  const expected = keys.map(digest);
  let calls = 0;
  let streams = 0;

  const idOf = (c: C) => c.get('requestId');
  const refuse = (c: C, code: Parameters<typeof ownProblem>[1], detail?: string) =>
    answerOf(ownProblem(idOf(c), code, detail));
  const asking = (c: C, signal: AbortSignal) => ({
    actor: c.req.header('x-actor'),
    requestId: idOf(c),
    signal,
  });
  const told = (c: C, method: ContractMethod, failure: LedgerFailure): Problem => {
    const problem = problemOf(idOf(c), failure);
    const level = failure.kind === 'refused' ? 'info' : 'warn';
    const because = 'because' in failure ? failure.because : undefined;
    log[level]('call_refused', { method: method.name, code: problem.code, because, request_id: idOf(c) });
    return problem;
  };
  /** What is wrong with the request itself. */
  const faultOf = (c: C, method: ContractMethod): string | undefined => {
    const actor = c.req.header('x-actor');
    if (actor === undefined ? method.isRead : actorPattern.test(actor)) return undefined;
    return 'x-actor names who asks, as user:... does';
  };
  const read = (method: ContractMethod, json: JsonValue) => {
    try {
      return { request: method.readRequest(json) };
    } catch (error) {
      return { fault: (error as Error).message };
    }
  };

  const app = new Hono<Scope>();
  app.use(async (c, next) => {
    const given = c.req.header('x-request-id') ?? '';
    c.set('requestId', requestIdPattern.test(given) ? given : randomUUID());
    await next();
    if (stopping.aborted) c.header('connection', 'close');
  });
  app.get('/health', async (c) => {
    const found = await health();
    return c.json(found, found.status === 'down' ? 503 : 200, { 'cache-control': 'no-store' });
  });
  app.use(async (c, next) => {
    const given = digest(bearerToken(c.req.header('authorization')) ?? '');
    // Of all keys, so that the time tells none from another.
    const isKnown = expected.filter((key) => timingSafeEqual(key, given)).length > 0;
    return isKnown ? next() : refuse(c, 'unauthenticated');
  });
  app.get('/metrics', async (c) => {
    const { ledger: state } = await health();
    return c.text(
      metrics.text({
        calls,
        streams,
        repeated: ledger.repeated,
        breaker: ledger.breaker,
        isServing: state === 'serving',
      }),
    );
  });

  app.get('/v1/accounting/WatchTransactions', async (c) => {
    const method = contract.get('accounting/WatchTransactions') as ContractMethod;
    const { loanAccountId = '', fromTransactionId } = c.req.query();
    const from = c.req.header('last-event-id') || fromTransactionId;
    const { request, fault } = read(method, {
      loanAccountId,
      ...(from ? { fromTransactionId: from } : {}),
    });
    const wrong = fault ?? faultOf(c, method);
    if (!request || wrong) return refuse(c, 'invalid_request', wrong);
    if (streams >= limits.streams) return refuse(c, 'overloaded');
    streams += 1;
    const given = new AbortController();
    const signal = AbortSignal.any([given.signal, c.req.raw.signal]);
    const began = performance.now();
    const ended = (outcome: string) => {
      streams -= 1;
      given.abort();
      metrics.called(method.name, outcome, (performance.now() - began) / 1_000);
    };
    const watching = await ledger.watch(method, request, asking(c, signal));
    if (!watching.ok) {
      const problem = told(c, method, watching.refusal);
      ended(problem.code);
      return answerOf(problem);
    }
    let outcome = 'ok';
    const body = eventStream({
      source: watching.value,
      write: (transaction) => {
        const data = method.writeResponse(transaction) as { transactionId: string };
        return { id: data.transactionId, data };
      },
      writeFault: (error) => {
        if (!(error instanceof LedgerFault)) log.error('stream_failed', errorFields(error));
        const problem =
          error instanceof LedgerFault
            ? told(c, method, error.failure)
            : ownProblem(idOf(c), 'internal_error');
        outcome = problem.code;
        return problem;
      },
      heartbeatMs: limits.heartbeatMs,
      slowReaderMs: limits.slowReaderMs,
      drop: () => {
        outcome = 'slow_reader';
        c.env.outgoing.destroy();
      },
      stopping,
      ended: () => ended(outcome),
    });
    return c.body(body, 200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store, no-transform',
      'x-request-id': idOf(c),
    });
  });

  app.use(async (c, next) => {
    if (calls >= limits.calls) return refuse(c, 'overloaded');
    calls += 1;
    try {
      return await next();
    } finally {
      calls -= 1;
    }
  });
  app.use(bodyLimit({ maxSize: limits.bodyBytes, onError: (c) => refuse(c as C, 'body_too_large') }));
  app.post('/v1/:service/:method', async (c) => {
    const { service, method: name } = c.req.param();
    const method = contract.get(`${service}/${name}`);
    if (!method || method.isStream) return refuse(c, 'not_found');
    if (!/^application\/json\s*(;|$)/i.test(c.req.header('content-type') ?? ''))
      return refuse(c, 'unsupported_media_type');
    const json = await c.req.json<JsonValue>().catch(() => undefined);
    if (json === undefined) return refuse(c, 'malformed_body');
    const { request, fault } = read(method, json);
    const wrong = fault ?? faultOf(c, method);
    if (!request || wrong) return refuse(c, 'invalid_request', wrong);

    const began = performance.now();
    const answer = await ledger.call(method, request, asking(c, c.req.raw.signal));
    const problem = answer.ok ? undefined : told(c, method, answer.refusal);
    metrics.called(method.name, problem?.code ?? 'ok', (performance.now() - began) / 1_000);
    if (!answer.ok) return answerOf(problem as Problem);
    return c.json(method.writeResponse(answer.value), 200, {
      'cache-control': 'no-store',
      'x-request-id': idOf(c),
    });
  });
  app.notFound((c) => refuse(c, 'not_found'));
  app.onError((error, c) => {
    log.error('request_failed', { ...errorFields(error), request_id: idOf(c) });
    return refuse(c, 'internal_error');
  });
  return { app, state: () => ({ calls, streams }) };
}
