// What the gateway answers when it does not answer with a message of the ledger: application/problem+json (RFC 9457),
// whose `code` is for programs. With `nothing happened` a write may be sent again under its key or any other; with
// outcome_unknown under its own key alone.

import type { LedgerFailure } from '../ledger-failure.ts';

const problems = {
  malformed_body: [400, 'The body is not JSON'],
  unauthenticated: [401, 'A key of the gateway is required'],
  not_found: [404, 'There is no such method'],
  body_too_large: [413, 'The body is too large'],
  unsupported_media_type: [415, 'The body must be application/json'],
  invalid_request: [422, 'The request is not one of this method'],
  internal_error: [500, 'Internal error'],
  not_supported_by_ledger: [501, 'This ledger cannot do that'],
  ledger_unavailable: [503, 'The ledger is away; nothing happened'],
  overloaded: [503, 'Too much at once; nothing happened'],
  outcome_unknown: [504, 'It is not known whether it happened'],
} as const;
type OwnCode = keyof typeof problems;

export interface Problem {
  type: string;
  title: string;
  status: number;
  code: string;
  detail?: string | undefined;
  requestId: string;
}

const retryAfterSeconds = 1;
const refusalStatus = { not_found: 404, conflict: 409, invalid: 422 } as const;

export const ownProblem = (requestId: string, code: OwnCode, detail?: string): Problem => ({
  type: `urn:recoup:problem:${code}`,
  title: problems[code][1],
  status: problems[code][0],
  code,
  detail,
  requestId,
});

export function problemOf(requestId: string, failure: LedgerFailure): Problem {
  switch (failure.kind) {
    case 'refused':
      return {
        type: `urn:recoup:problem:${failure.code}`,
        title: 'The ledger refuses this',
        status: refusalStatus[failure.because],
        code: failure.code,
        detail: failure.message,
        requestId,
      };
    case 'unsupported':
      return ownProblem(requestId, 'not_supported_by_ledger', `${failure.method} is not there`);
    case 'overloaded':
      return ownProblem(requestId, 'overloaded');
    case 'unavailable':
      return ownProblem(requestId, 'ledger_unavailable', failure.because);
    case 'outcome_unknown':
      return ownProblem(
        requestId,
        'outcome_unknown',
        'The same request with the same key finds out and is done once.',
      );
  }
}

export function answerOf(problem: Problem): Response {
  const headers = new Headers({
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    'x-request-id': problem.requestId,
  });
  if (problem.status === 503) headers.set('retry-after', String(retryAfterSeconds));
  if (problem.status === 401) headers.set('www-authenticate', 'Bearer');
  return new Response(JSON.stringify(problem), { status: problem.status, headers });
}
