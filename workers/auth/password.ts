// Somebody sets a new password of their own. It is the one change that somebody may make whose password was given to
// them.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import { type ChangeRefusal, changePassword } from '../../shared/staff/change-password.ts';
import { type RequestContext, refuse, type Scope } from '../app.ts';
import { askedDatabase, forgetSessions } from '../caller.ts';
import { attemptFrom, refuseCredential, signInTools, typedPassword } from './attempt.ts';
import type { AuthSettings } from './env.ts';
import { route } from './route.ts';

export const passwordRoutes = new Hono<Scope<AuthSettings>>().post(
  ...route(
    '/password',
    {
      permission: 'self',
      summary: 'Sets a new password of the caller’s own',
      description: 'Ends all their other sessions.',
      tag: 'Sign-in',
      takesSecrets: true,
      body: z.object({ currentPassword: typedPassword, newPassword: typedPassword }),
      answers: { 204: null },
      problems: ['credential_refused', 'too_many_attempts'],
    },
    async (c) => {
      const person = c.get('caller');
      if (person.kind !== 'user' || person.source !== 'password') return refuse(c, 'not_found');
      const { currentPassword, newPassword } = c.req.valid('json');
      const minimum = c.get('settings').passwordMinimum;
      const change = { current: currentPassword, next: newPassword, minimum };
      const from = await attemptFrom(c);
      const changed = await changePassword(signInTools(c), askedDatabase(c), person, change, from);
      if (!changed.ok) return refuseChange(c, changed.refusal, minimum);
      forgetSessions(changed.value);
      return c.body(null, 204);
    },
  ),
);

function refuseChange(c: RequestContext<AuthSettings>, refusal: ChangeRefusal, minimum: number): Response {
  if (refusal.reason !== 'unfit') return refuseCredential(c, refusal);
  const messages = {
    too_short: `expected at least ${minimum} characters`,
    too_long: 'expected at most 128 characters',
    contains_username: 'contains the username',
    breached: 'is in lists that attackers try first',
    unchanged: 'is the current one',
  };
  const { fault } = refusal;
  return refuse(c, 'invalid_request', {
    errors: [{ field: 'newPassword', code: fault, message: messages[fault] }],
  });
}
