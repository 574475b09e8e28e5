// The second factor: an authenticator app's codes. It is enrolled with the password, counts once a code of it has been
// given, and is removed with password and code, or by staff when the telephone is lost.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import { asUsername } from '../../shared/staff/signed-in.ts';
import { confirmTotp, enrolTotp, pendingTotp, removeOwnTotp, removeTotpOf } from '../../shared/staff/totp.ts';
import { refuse, type Scope } from '../app.ts';
import { askedDatabase } from '../caller.ts';
import { attemptFrom, refuseCredential, signInTools, typedName, typedPassword } from './attempt.ts';
import type { AuthSettings } from './env.ts';
import { route } from './route.ts';
import { settledPerson } from './settled.ts';
import { codePattern, newTotpSecret, stepOfCode, totpUri } from './totp-code.ts';

const tag = 'Sign-in';
const code = z.string().check(z.regex(codePattern, 'expected six digits'));

export const totpRoutes = new Hono<Scope<AuthSettings>>()
  .post(
    ...route(
      '/totp',
      {
        permission: 'self',
        summary: 'Begins a second factor; it counts once it is confirmed',
        tag,
        takesSecrets: true,
        body: z.object({ password: typedPassword }),
        answers: { 201: z.object({ secret: z.string(), uri: z.string() }) },
        problems: [
          'password_must_change',
          'credential_refused',
          'totp_enrolled',
          'too_many_attempts',
          'directory_away',
        ],
      },
      async (c) => {
        const person = settledPerson(c);
        if (!person.ok) return person.refusal;
        const { id, username } = person.value;
        const secret = newTotpSecret();
        const enrolled = await enrolTotp(signInTools(c), askedDatabase(c), {
          person: person.value,
          password: c.req.valid('json').password,
          from: await attemptFrom(c),
          sealed: await c.get('settings').signInKeys.encrypt(secret, id),
        });
        if (enrolled.ok) return c.json({ secret, uri: totpUri(secret, username) }, 201);
        return enrolled.refusal === 'enrolled'
          ? refuse(c, 'totp_enrolled')
          : refuseCredential(c, enrolled.refusal);
      },
    ),
  )
  .post(
    ...route(
      '/totp/confirm',
      {
        permission: 'self',
        summary: 'Confirms the second factor with a code of it',
        tag,
        takesSecrets: true,
        body: z.object({ code }),
        answers: { 204: null },
        problems: ['password_must_change', 'credential_refused'],
      },
      async (c) => {
        const person = settledPerson(c);
        if (!person.ok) return person.refusal;
        const { id } = person.value;
        const db = askedDatabase(c);
        const sealed = await pendingTotp(db, id);
        if (sealed === undefined) return refuse(c, 'not_found');
        const secret = await c.get('settings').signInKeys.decrypt(sealed, id);
        const step = stepOfCode(secret, c.req.valid('json').code, Date.now());
        const confirmed = step !== undefined && (await confirmTotp(db, { userId: id, secret: sealed, step }));
        return confirmed ? c.body(null, 204) : refuse(c, 'credential_refused');
      },
    ),
  )
  .post(
    ...route(
      '/totp/remove',
      {
        permission: 'self',
        summary: 'Removes the caller’s second factor',
        tag,
        takesSecrets: true,
        body: z.object({ password: typedPassword, code }),
        answers: { 204: null },
        problems: ['password_must_change', 'credential_refused', 'too_many_attempts', 'directory_away'],
      },
      async (c) => {
        const person = settledPerson(c);
        if (!person.ok) return person.refusal;
        const { username } = person.value;
        const credentials = { username, ...c.req.valid('json') };
        const from = await attemptFrom(c);
        const removed = await removeOwnTotp(signInTools(c), askedDatabase(c), credentials, from);
        if (removed.ok) return c.body(null, 204);
        return removed.refusal === 'none' ? refuse(c, 'not_found') : refuseCredential(c, removed.refusal);
      },
    ),
  )
  .delete(
    ...route(
      '/totp',
      {
        permission: 'users:manage',
        summary: 'Removes the second factor of somebody who has lost it',
        tag,
        query: z.object({ user: typedName }),
        answers: { 204: null },
        problems: ['own_rights', 'beyond_own_rights'],
      },
      async (c) => {
        const name = asUsername(c.req.valid('query').user);
        const removed = await removeTotpOf(askedDatabase(c), c.get('caller'), name);
        if (removed.ok) return c.body(null, 204);
        const { refusal } = removed;
        return refusal?.kind === 'beyond_own_rights'
          ? refuse(c, 'beyond_own_rights', { members: { permissions: refusal.permissions } })
          : refuse(c, refusal?.kind === 'own_rights' ? 'own_rights' : 'not_found');
      },
    ),
  );
