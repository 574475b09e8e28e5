// The one place where a refusal or a crash becomes application/problem+json (RFC 9457). What a code means and what
// to do about it stands in docs/problems.md; a test keeps the two together.

export const problems = {
  malformed_body: [400, 'The body is not JSON that can be kept'],
  idempotency_key_required: [400, 'What moves money needs an Idempotency-Key'],
  invalid_query: [400, 'A query parameter is not valid'],
  invalid_request: [422, 'A field of the body is not valid'],
  unauthenticated: [401, 'A session, access token or API key is required'],
  sign_in_failed: [401, 'Name, password or code is not right'],
  code_required: [401, 'The code of the second factor is required as well'],
  token_refused: [401, 'The refresh token is not good any more'],
  sign_in_lost: [401, 'The sign-in is not good any more'],
  provider_refused: [401, 'The provider does not vouch for this person'],
  invalid_signature: [401, 'The request is not signed as its channel requires'],
  cross_site: [403, 'Another site may not make this browser send this'],
  not_for_browsers: [403, 'Tokens are not given to web pages'],
  credential_refused: [403, 'The password or the code is not right'],
  password_must_change: [403, 'A new password has to be set first'],
  not_admitted: [403, 'This person has no access here'],
  person_required: [403, 'Only a person may do this'],
  own_request: [403, 'Nobody decides what they asked for themselves'],
  not_own_request: [403, 'Only whoever asked for it takes it back'],
  own_rights: [403, 'Nobody changes what they themselves may do'],
  beyond_own_rights: [403, 'Nobody gives away, or changes, more than they hold themselves'],
  address_not_allowed: [403, 'This address may not send to this channel'],
  not_found: [404, 'There is nothing here that the caller may see'],
  unknown_to_ledger: [404, 'The ledger does not know this loan'],
  unknown_channel: [404, 'No such channel is configured'],
  method_not_allowed: [405, 'This path is there for other methods'],
  request_timeout: [408, 'The body did not arrive in time'],
  payment_conflict: [409, 'The reference belongs to a payment with other facts'],
  event_conflict: [409, 'The id belongs to an event with other content'],
  reversal_refused: [409, 'The payment cannot be reversed by this much'],
  reversal_conflict: [409, 'The reversal reference was used for another amount'],
  posting_not_held: [409, 'Only a payment that is held is matched with a loan'],
  payment_not_movable: [409, 'The payment cannot be moved like this'],
  already_decided: [409, 'This has been decided the other way'],
  ledger_refused: [409, 'The ledger refuses this'],
  loan_changed: [409, 'The loan has changed since this was asked for'],
  totp_enrolled: [409, 'There is a second factor already'],
  name_taken: [409, 'There is one of this name already'],
  last_admin: [409, 'Nobody would be left who can administer'],
  directory_role: [409, 'The role comes from the directory, which alone takes it away'],
  not_by_password: [409, 'This person signs in elsewhere and has no password here'],
  built_in_role: [409, 'A role of the software cannot be changed'],
  role_in_use: [409, 'Somebody has this role'],
  key_ended: [409, 'The key has expired, been revoked or been replaced'],
  customer_erased: [409, 'The customer has been erased'],
  limit_reached: [409, 'There are as many as there may be'],
  masked_body: [409, 'The body was masked and cannot be sent again unchanged'],
  changed_meanwhile: [412, 'It has been changed since the version that this change was made from'],
  body_too_large: [413, 'The body is too large'],
  unsupported_media_type: [415, 'The body must be plain application/json'],
  idempotency_key_reused: [422, 'The Idempotency-Key was used for another request'],
  version_required: [428, 'A change names the version that it was made from in If-Match'],
  rate_limited: [429, 'Too many requests from this source'],
  too_many_attempts: [429, 'Too many attempts to sign in'],
  internal_error: [500, 'Internal error'],
  not_supported_by_ledger: [501, 'The ledger of this deployment cannot do this'],
  ledger_unavailable: [503, 'The ledger cannot be asked now; nothing has happened'],
  directory_away: [503, 'The directory cannot be asked now'],
  unavailable: [503, 'A part that this request needs is away'],
  outcome_unknown: [504, 'It is not known whether this has happened'],
} as const satisfies Record<string, readonly [status: number, title: string]>;

export type ProblemCode = keyof typeof problems;

/** As a client gets it. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail?: string;
  code: ProblemCode;
  requestId: string;
  /** Every field at fault. */
  errors?: Array<{ field: string; code: string; message: string }>;
  /** Named as the endpoint's shapes are. */
  [member: string]: unknown;
}
export type ProblemStatus = (typeof problems)[ProblemCode][0];

export interface ProblemDetails {
  detail?: string | undefined;
  /** Every field at fault. */
  errors?: ReadonlyArray<{ field: string; code: string; message: string }> | undefined;
  retryAfterSeconds?: number | undefined;
  /** Further members of the problem, named as the endpoint's shapes are. */
  members?: Record<string, unknown> | undefined;
}

export function problem(requestId: string, code: ProblemCode, details: ProblemDetails = {}): Response {
  const [status, title] = problems[code];
  const headers = new Headers({
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    'x-request-id': requestId,
  });
  if (details.retryAfterSeconds !== undefined) headers.set('retry-after', String(details.retryAfterSeconds));
  if (code === 'unauthenticated') headers.set('www-authenticate', 'Bearer');
  const body = {
    type: `urn:recoup:problem:${code}`,
    title,
    status,
    detail: details.detail,
    code,
    requestId,
    errors: details.errors,
    ...details.members,
  };
  return new Response(JSON.stringify(body), { status, headers });
}
