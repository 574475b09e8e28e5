// What somebody in a session may do for themselves only once their password is their own.

import { ok, type Result, refused } from '../../shared/result.ts';
import type { Person } from '../../shared/staff/caller.ts';
import { type RequestContext, refuse } from '../app.ts';
import type { AuthSettings } from './env.ts';

/** The person who asks. A key is no person, and has nothing of what persons have. */
export function settledPerson(c: RequestContext<AuthSettings>): Result<Person, Response> {
  const caller = c.get('caller');
  if (caller.kind !== 'user') return refused(refuse(c, 'not_found'));
  return caller.mustChangePassword ? refused(refuse(c, 'password_must_change')) : ok(caller);
}
