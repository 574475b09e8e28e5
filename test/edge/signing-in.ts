// Signs in at the Workers as browsers and programs do.

import { request } from 'node:http';
import { hashPassword } from '../../shared/staff/password-hash.ts';
import { scryptHere } from '../../workers/auth/scrypt.ts';
import { type Answer, ask } from './asking.ts';
import type { Edge } from './runtimes.ts';
import type { TestPerson, World } from './world.ts';

export const password = 'correct horse battery';

let kept: Promise<string> | undefined;

/** Somebody new who can sign in by `password`. */
export async function newPersonWithPassword(
  world: World,
  roles: readonly string[] = ['agent'],
  team?: string,
): Promise<TestPerson> {
  kept ??= hashPassword(scryptHere, password);
  const person = await world.newPerson(roles, team);
  await world.db.query('update staff.passwords set hash = $2 where user_id = $1', [person.id, await kept]);
  return person;
}

const ownOrigin = (edge: Edge) => new URL(edge.urls.api).origin;

export const postJson = (
  edge: Edge,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> =>
  ask(`${edge.urls.api}${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
  });

/** As a page of ours does. */
export const fromPage = (
  edge: Edge,
  path: string,
  body: unknown,
  cookies: readonly string[] = [],
): Promise<Answer> =>
  postJson(edge, path, body, {
    origin: ownOrigin(edge),
    ...(cookies.length > 0 ? { cookie: cookies.join('; ') } : {}),
  });

export const login = (
  edge: Edge,
  username: string,
  given = password,
  cookies: readonly string[] = [],
  code?: string,
): Promise<Answer> => fromPage(edge, '/api/v1/auth/login', { username, password: given, code }, cookies);

/** By name, as a browser would send it back. */
export function cookiesOf(answer: Answer): { session: string; device: string } {
  const set = answer.headers.getSetCookie().map((cookie) => cookie.split(';')[0] as string);
  const named = (name: string) => set.find((cookie) => cookie.startsWith(`__Host-recoup_${name}=`)) ?? '';
  return { session: named('session'), device: named('device') };
}

export const token = (edge: Edge, form: Record<string, string>, headers: Record<string, string> = {}) =>
  ask(`${edge.urls.api}/api/v1/auth/token`, {
    method: 'POST',
    body: new URLSearchParams(form).toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
  });

/** From another address of this machine; answers the status. */
export const loginFrom = (
  address: string,
  edge: Edge,
  username: string,
  given: string,
): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const sent = request(
      `${edge.urls.api}/api/v1/auth/login`,
      {
        method: 'POST',
        localAddress: address,
        headers: { 'content-type': 'application/json', origin: ownOrigin(edge) },
      },
      (answer) => {
        answer.resume();
        answer.on('end', () => resolve(answer.statusCode));
      },
    );
    sent.on('error', reject);
    sent.end(JSON.stringify({ username, password: given }));
  });
