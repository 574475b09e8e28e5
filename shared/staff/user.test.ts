import { expect, test } from 'vitest';
import type { Caller } from './caller.ts';
import { grantsFrom, mayShape, type Role, rolesOfTheCode, worthOf } from './role.ts';
import { grantsOf } from './roles.ts';
import { mayChange, mayGive, mayManage, mayReset, type User, type UserChange } from './user.ts';

const deskRole = (permissions: Parameters<typeof grantsFrom>[0]): Role => ({
  ...{ name: 'desk', description: 'Desk', builtIn: false, version: 1 },
  ...{ createdAt: new Date(0), changedAt: new Date(0) },
  grants: grantsFrom(permissions),
});
const roles = [
  ...rolesOfTheCode,
  deskRole({ 'users:read': 'team', 'users:manage': 'team', 'notes:write': 'team' }),
];

const callerWith = (names: string[], team: string | null = 'north'): Caller => ({
  ...{ kind: 'user', id: 'caller', username: 'caller', actor: 'user:caller', name: 'Caller', email: null },
  ...{ team, source: 'password', roles: names, grants: worthOf(names, roles), mustChangePassword: false },
  session: { id: 's', kind: 'browser', lastUsedAt: new Date(0) },
});
const someone = (names: string[], changes: Partial<User> = {}): User => ({
  ...{ id: 'someone', username: 'someone', displayName: 'Someone', email: null, team: 'north' },
  ...{ status: 'active', source: 'password', externalId: null, mustChangePassword: false, version: 1 },
  ...{ createdAt: new Date(0), createdBy: 'test', changedAt: new Date(0) },
  roles: names.map((name) => ({ name, source: 'assigned' })),
  ...changes,
});
const refusal = (result: { ok: true } | { ok: false; refusal: { kind: string } }) =>
  result.ok ? undefined : result.refusal.kind;

const admin = callerWith(['admin']);
const desk = callerWith(['desk']);

test('an admin gives and takes every role there is', () => {
  for (const { name } of roles) {
    expect(mayChange(admin, someone([]), { roles: [name] }, roles)).toEqual({ ok: true });
    expect(mayChange(admin, someone([name]), { roles: [] }, roles)).toEqual({ ok: true });
  }
});

test.each<[string, UserChange]>([
  ['take a role of their own', { roles: [] }],
  ['give themselves one more', { roles: ['admin', 'agent'] }],
  ['deactivate themselves', { status: 'deactivated' }],
  ['move themselves to another team', { team: 'south' }],
])('not even an admin may %s', (_, change) => {
  expect(refusal(mayChange(admin, someone(['admin'], { id: 'caller' }), change, roles))).toBe('own_rights');
});

test('somebody who manages people may change how they themselves are called', () => {
  const self = someone(['desk'], { id: 'caller' });
  const change = { displayName: 'New', email: 'n@example.com', roles: ['desk'], team: 'north' };
  expect(mayChange(desk, self, change, roles)).toEqual({ ok: true });
});

test('nobody gives a role that is worth more than what they hold, not even by its reach', () => {
  expect(mayChange(desk, someone([]), { roles: ['agent'] }, roles)).toEqual({
    ok: false,
    refusal: {
      kind: 'beyond_own_rights',
      permissions: expect.arrayContaining(['payments:read', 'customers:personal', 'ledger:waive']),
    },
  });
  const wider = [...rolesOfTheCode, deskRole({ 'notes:write': 'all' })];
  expect(refusal(mayGive(desk, { team: 'north', roles: ['desk'] }, wider))).toBe('beyond_own_rights');
  const narrower = [...rolesOfTheCode, deskRole({ 'notes:write': 'own' })];
  expect(mayGive(desk, { team: 'north', roles: ['desk'] }, narrower)).toEqual({ ok: true });
});

test('nobody touches somebody who may do more: not their name, roles, status or password', () => {
  const target = someone(['admin']);
  for (const change of [{ displayName: 'X' }, { roles: [] }, { status: 'deactivated' as const }, {}]) {
    expect(refusal(mayChange(desk, target, change, roles))).toBe('beyond_own_rights');
  }
  expect(refusal(mayReset(desk, target, roles))).toBe('beyond_own_rights');
  expect(mayReset(desk, someone(['desk']), roles)).toEqual({ ok: true });
  expect(refusal(mayReset(admin, someone(['admin'], { id: 'caller' }), roles))).toBe('own_rights');
});

test('whoever manages a team makes and moves nobody beside it', () => {
  expect(mayGive(desk, { team: 'north', roles: [] }, roles)).toEqual({ ok: true });
  for (const team of ['south', null]) {
    expect(refusal(mayGive(desk, { team, roles: [] }, roles))).toBe('beyond_own_rights');
    expect(refusal(mayChange(desk, someone([]), { team }, roles))).toBe('beyond_own_rights');
  }
  expect(mayManage(desk, someone([]))).toBe(true);
  expect(mayManage(desk, someone([], { team: 'south' }))).toBe(false);
  expect(mayManage(callerWith(['desk'], null), someone([], { team: null }))).toBe(false);
  expect(mayManage(callerWith(['agent']), someone([]))).toBe(false);
});

test('a role that comes from a directory is not taken away by hand', () => {
  const target = someone([], { roles: [{ name: 'agent', source: 'directory' }] });
  expect(mayChange(admin, target, { roles: ['operations'] }, roles)).toEqual({
    ok: false,
    refusal: { kind: 'directory_role', role: 'agent' },
  });
  expect(mayChange(admin, target, { roles: ['agent', 'operations'] }, roles)).toEqual({ ok: true });
});

test('a role that does not exist is not given, and one that has gone can be taken away', () => {
  expect(refusal(mayChange(admin, someone([]), { roles: ['none'] }, roles))).toBe('unknown_role');
  expect(mayChange(admin, someone(['none']), { roles: [] }, roles)).toEqual({ ok: true });
});

test('a key gives as much as its scopes, towards everybody', () => {
  const key: Caller = {
    ...{ kind: 'key', actor: 'key:k', name: 'k', prefix: 'k', expiresAt: null, lastUsedAt: null },
    grants: grantsOf([], [['users:manage', 'all']]),
  };
  expect(mayManage(key, someone([]))).toBe(true);
  expect(mayGive(key, { team: 'south', roles: [] }, roles)).toEqual({ ok: true });
  expect(refusal(mayGive(key, { team: null, roles: ['agent'] }, roles))).toBe('beyond_own_rights');
});

test('roles are made of what one holds, and those of the software stay', () => {
  const held = grantsFrom({ 'roles:manage': 'all', 'jobs:read': 'all', 'notes:write': 'team' });
  const content = (permissions: Parameters<typeof grantsFrom>[0]) => ({
    description: 'D',
    grants: grantsFrom(permissions),
  });
  expect(mayShape(held, undefined, content({ 'jobs:read': 'all', 'notes:write': 'own' }))).toEqual({
    ok: true,
  });
  expect(mayShape(held, undefined, content({ 'jobs:run': 'all', 'notes:write': 'all' }))).toEqual({
    ok: false,
    refusal: { kind: 'beyond_own_rights', permissions: ['jobs:run', 'notes:write'] },
  });
  // What is worth more is neither cut down nor removed.
  expect(refusal(mayShape(held, deskRole({ 'users:manage': 'team' }), content({})))).toBe(
    'beyond_own_rights',
  );
  expect(refusal(mayShape(held, deskRole({ 'users:manage': 'team' })))).toBe('beyond_own_rights');
  for (const role of rolesOfTheCode) {
    expect(refusal(mayShape(worthOf(['admin'], roles), role))).toBe('built_in_role');
  }
});
