// Every route with every role, generated from the declarations and the table of roles: whoever may is answered by the
// route itself, whoever may not is told what they would be told of something that does not exist; and where things are
// somebody's, with the caller's own, a colleague's and a stranger's. A new route is here by itself.

import { beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod/mini';
import type { Permission } from '../../shared/staff/permissions.ts';
import { type BuiltInRole, builtInRoles, type Reach } from '../../shared/staff/roles.ts';
import { createApi } from '../../workers/api/main.ts';
import { webhookRoutes } from '../../workers/api/webhook-routes.ts';
import { createAuth } from '../../workers/auth/main.ts';
import { type Declared, declaredIn, type RouteSpec, specOf } from '../../workers/route.ts';
import { ask, expectProblem } from './asking.ts';
import { belongingAt } from './belongings.ts';
import { everyPermission, playStory, type Story } from './scenario.ts';
import { type TestPerson, unlimited, useWorld } from './world.ts';

type Asked = Declared & { door: 'api' | 'auth' };
type Ids = Record<string, string>;

const apps = { api: createApi(), auth: createAuth() };
const nameOf = ({ method, path }: Pick<Declared, 'method' | 'path'>) => `${method} ${path}`;
/** What the auth Worker serves under a path of the front door's own is asked there. */
const ownPaths = new Set(declaredIn(apps.api).map(nameOf));
const routes: Asked[] = [
  ...declaredIn(apps.api).map((route): Asked => ({ ...route, door: 'api' })),
  ...declaredIn(apps.auth).map(
    (route): Asked => ({ ...route, door: ownPaths.has(nameOf(route)) ? 'auth' : 'api' }),
  ),
];
const roles = Object.keys(builtInRoles) as BuiltInRole[];
const hasIds = ({ path }: Declared) => path.includes(':');
const isSafe = ({ method }: Declared) => method === 'GET';
const isEverybodys = ({ permission }: RouteSpec) => ['self', 'settled', 'open'].includes(permission);

/** Names of nothing, in the shapes that ids have: whatever fits a route's parameter. */
const unknown = ['00000000-0000-4000-8000-000000000000', '999999999', 'none', 'none-of-them', '000000000000'];

/** Ids that nothing has, of the form that the route's ids have; where only some words are known, another word. */
function unknownTo(route: Declared): Ids {
  const names = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => name as string);
  const shape = route.spec.params?.shape ?? {};
  const of = (name: string) =>
    unknown.find((id) => !shape[name] || z.safeParse(shape[name], id).success) ?? 'none';
  return Object.fromEntries(names.map((name) => [name, of(name)]));
}

/** Permissions that some role has for less than everything. */
const narrowed = new Set(
  Object.values(builtInRoles).flatMap(({ grants }) =>
    Object.entries(grants).flatMap(([permission, reach]) => (reach === 'all' ? [] : [permission])),
  ),
);

describe('a route', () => {
  const passedOn = new Set([...declaredIn(apps.auth), ...webhookRoutes].map(nameOf));

  test.each(Object.entries(apps))(
    'of the %s Worker is declared, or passed on to one that declares it',
    (_, app) => {
      // What is registered under every method looks at a request or passes it on, and answers nothing of its own.
      const registered = app.routes.filter(({ method }) => method !== 'ALL');
      const last = new Map(registered.map((route) => [nameOf(route), route]));
      expect(last.size).toBeGreaterThan(3);
      for (const [name, { handler }] of last) {
        expect(specOf(handler) !== undefined || passedOn.has(name), `${name} is not declared`).toBe(true);
      }
    },
  );

  test('that is open says why, and counts secrets that it takes', () => {
    for (const { spec, ...route } of routes) {
      if (spec.permission !== 'open') continue;
      expect(spec.summary, nameOf(route)).toMatch(/(; |, )?open\b|^This/);
      // A token that was signed is no guess, and whoever checks one does so often.
      const takes = (spec.body || spec.bodyShape) && !route.path.endsWith('/token/validate');
      if (takes) expect(spec.takesSecrets, `${nameOf(route)} without takesSecrets`).toBe(true);
    }
  });

  test('that names one of somebody’s things has it in test/edge/belongings.ts', () => {
    const silent = routes.filter(
      (route) =>
        hasIds(route) &&
        (['self', 'settled'].includes(route.spec.permission) || narrowed.has(route.spec.permission)) &&
        belongingAt(route.path) === undefined,
    );
    expect(silent.map(nameOf)).toEqual([]);
  });
});

interface Asking {
  who: string;
  token: string | undefined;
  person?: TestPerson;
  /** Undefined of nobody. */
  grants: ReadonlyMap<Permission, Reach> | undefined;
}
interface Place {
  ids: Ids;
  /** How far a permission has to go to reach it; undefined where nothing is. */
  needs?: Reach;
}

describe('with every route', () => {
  const world = useWorld('node', { api: unlimited, auth: unlimited });
  let story: Story;
  beforeAll(async () => {
    story = await playStory(world);
  }, 120_000);

  test.each(routes.map((route): [string, Asked] => [nameOf(route), route]))(
    '%s',
    async (_, route) => {
      const taken = new Set<string>();
      for (const caller of await callersOf(route)) {
        for (const { ids, needs } of await placesOf(route, caller)) {
          const answer = await call(route, caller, ids);
          const what = `${nameOf(route)} as ${caller.who}, ${JSON.stringify(ids)}: ${answer.status} ${answer.text}`;
          const held = heldFor(route, caller);
          if (held === undefined) {
            const [status, code] = caller.grants ? [404, 'not_found'] : [401, 'unauthenticated'];
            expect([answer.status, answer.body?.code], what).toEqual([status, code]);
            expectProblem(answer, status as number, code as string);
            continue;
          }
          if (answer.status >= 500)
            expect(Object.keys(route.spec.answers), what).toContain(`${answer.status}`);
          expect(answer.body?.code, what).not.toBe('unauthenticated');
          if (needs === undefined) continue;
          if (reaches.indexOf(held) > reaches.indexOf(needs)) {
            // A body that is not theirs to send is refused before anything is looked up.
            if (answer.status !== 422) expectProblem(answer, 404, 'not_found');
          }
          // What is gone is gone for whoever comes next.
          else if (!taken.has(JSON.stringify(ids))) expect(answer.status, what).not.toBe(404);
          if (route.method === 'DELETE' && answer.status < 300) taken.add(JSON.stringify(ids));
        }
      }
    },
    60_000,
  );

  /** From the widest. */
  const reaches: readonly Reach[] = ['all', 'team', 'own'];

  /** How far the caller may go with the route; undefined where they may not at all. */
  function heldFor({ spec, path }: Asked, { grants }: Asking): Reach | undefined {
    if (spec.permission === 'open') return 'all';
    if (spec.permission !== 'self' && spec.permission !== 'settled') return grants?.get(spec.permission);
    const further = belongingAt(path)?.further;
    return grants && ((further && grants.get(further)) ?? 'own');
  }

  async function callersOf(route: Asked): Promise<Asking[]> {
    const callers: Asking[] = [{ who: 'nobody', token: undefined, grants: undefined }];
    for (const role of roles) {
      const person = isSafe(route) ? await personOf(role) : await world.newPerson([role], 'north');
      const grants = new Map(Object.entries(builtInRoles[role].grants) as [Permission, Reach][]);
      callers.push({ who: role, token: person.accessToken, person, grants });
    }
    const permission = route.spec.permission as Permission;
    if (!everyPermission.includes(permission)) return callers;
    const others = everyPermission.filter((other) => other !== permission);
    for (const [who, scopes] of [
      ['a key with it', [permission]],
      ['a key with all the others', others],
    ] as const) {
      const grants = new Map(scopes.map((scope) => [scope, 'all' as Reach]));
      callers.push({ who, token: await keyWith(scopes), grants });
    }
    if (!belongingAt(route.path)) return callers;
    for (const reach of ['team', 'own'] as const) {
      const person = await world.newPersonWith({ [permission]: reach }, 'north');
      const grants = new Map([[permission, reach]]);
      callers.push({ who: `somebody with it for ${reach}`, token: person.accessToken, person, grants });
    }
    return callers;
  }

  async function placesOf(route: Asked, { person }: Asking): Promise<Place[]> {
    if (!hasIds(route)) return [{ ids: {}, ...(isEverybodys(route.spec) ? {} : { needs: 'own' }) }];
    const places: Place[] = [{ ids: unknownTo(route) }];
    const belonging = belongingAt(route.path);
    const ofStory = await idsOf(route);
    if (!belonging) return [...places, ...(ofStory ? [{ ids: ofStory, needs: 'own' } as const] : [])];
    const of = async (owner: TestPerson, needs: Reach) => ({
      ids: { ...ofStory, ...(await belonging.of(owner, world)) },
      needs,
    });
    if (person) places.push(await of(person, 'own'));
    places.push(await of(await world.newPerson(['agent'], 'north'), 'team'));
    places.push(await of(await world.newPerson(['agent'], 'south'), 'all'));
    return places;
  }

  /** What is there no more when the story has ended. */
  const madeAgain: Record<string, () => Promise<Ids>> = {
    async 'DELETE /api/v1/roles/:name'() {
      const { role, id } = await world.newPersonWith({ 'jobs:read': 'all' });
      await world.db.query('delete from staff.user_roles where user_id = $1', [id]);
      return { name: role };
    },
    async 'DELETE /api/v1/approval-limits/:role/:kind/:currency'() {
      const limit = { role: 'service', kind: 'write_off', currency: 'EUR' };
      await world.db.query(
        `insert into approvals.limits (role, kind, currency, amount, set_by) values ($1, $2, $3, 1, 'test') on conflict do nothing`,
        Object.values(limit),
      );
      return limit;
    },
    async 'POST /api/v1/postings/:id/match'() {
      const [row] = await world.db.query<{ id: string }>(
        `insert into posting.postings (id, kind, payment_id, reference_number, loan_account_number, amount, currency, effective_on,
           state, held_because, actor)
         values (gen_random_uuid(), 'payment', gen_random_uuid(), 'R', 'X', 1, 'EUR', '2026-11-20', 'held', 'unknown_loan', 'test')
         returning id`,
      );
      return { id: (row as { id: string }).id };
    },
    async 'POST /api/v1/payments/staging/quarantined/:id/release'() {
      const [row] = await world.db.query<{ id: string }>(
        `update payment_staging set processed = true, outcome = 'quarantined', reason = 'too_many_decimals'
         where id = (select max(id) from payment_staging) returning id`,
      );
      return { id: String(row?.id) };
    },
  };

  /** Of what is there. */
  async function idsOf(route: Asked): Promise<Ids | undefined> {
    const read = routes.find(({ path, method }) => path === route.path && method === 'GET');
    const ofStory = story.params[nameOf(route)] ?? (read && story.params[nameOf(read)]);
    return (await madeAgain[nameOf(route)]?.()) ?? ofStory;
  }

  /** With the body of the story, but for passwords and codes: each try of them counts. */
  async function call(route: Asked, { token }: Asking, ids: Ids) {
    const path = route.path.replace(/:(\w+)/g, (_, name) => encodeURIComponent(ids[name] as string));
    const { body } = Object.values(story.examples[nameOf(route)] ?? {})[0] ?? {};
    const isSent = body !== undefined && !route.spec.takesSecrets;
    return ask(`${world.edge.urls[route.door]}${path}`, {
      method: route.method,
      headers: {
        'if-match': '"1"',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(isSent ? { 'content-type': 'application/json' } : {}),
      },
      ...(isSent ? { body: JSON.stringify(body) } : {}),
    });
  }

  const people = new Map<BuiltInRole, Promise<TestPerson>>();
  /** One for all that is only read. */
  const personOf = (role: BuiltInRole) => {
    if (!people.has(role)) people.set(role, world.newPerson([role], 'north'));
    return people.get(role) as Promise<TestPerson>;
  };
  const keys = new Map<string, Promise<string>>();
  const keyWith = (scopes: readonly Permission[]) => {
    const name = scopes.join(' ');
    if (!keys.has(name)) keys.set(name, world.newKey(scopes));
    return keys.get(name) as Promise<string>;
  };
});
