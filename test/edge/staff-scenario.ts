// The part of the story that is about staff: how they sign in, who they are, what roles and keys are worth, and what the
// audit trail has of it.

import { TOTP } from 'otpauth';
import type { Call } from './calling.ts';
import { newPersonWithPassword, password } from './signing-in.ts';
import type { World } from './world.ts';

const inDays = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString();

export async function staffOf(call: Call, world: World): Promise<void> {
  await signingIn(call, world);
  await people(call, world);
  await roles(call);
  await keys(call);
  await call('GET /api/v1/audit', { query: { action: 'role.', limit: '2' } });
  await call('GET /api/v1/audit/reports/:report', {
    params: { report: 'role-changes' },
    query: { limit: '2' },
  });
}

async function signingIn(call: Call, world: World): Promise<void> {
  const supervisor = await newPersonWithPassword(world, ['supervisor'], 'north');
  const { username } = supervisor;
  const fromPage = { 'sec-fetch-site': 'same-origin' };
  await call('POST /api/v1/auth/login', { body: { username, password }, headers: fromPage });
  await call('GET /api/v1/auth/ways');
  await call('GET /api/v1/auth/me', { as: supervisor });
  await call('GET /api/v1/auth/sessions', { as: supervisor });

  const grant = { grant_type: 'password', username, password };
  const { body: tokens } = await call('POST /api/v1/auth/token', { body: grant });
  await call('POST /api/v1/auth/token/validate', { body: { token: tokens.access_token } });
  await call('POST /api/v1/auth/token/refresh', { body: { refreshToken: tokens.refresh_token } });
  const { body: bare } = await call('POST /api/auth/login', { body: { username, password } });
  await call('POST /api/auth/token/validate', { body: { token: bare.token } });
  const { body: next } = await call('POST /api/auth/token/refresh', {
    body: { refreshToken: bare.refreshToken },
  });
  await call('POST /api/auth/logout', { body: { token: next.token } });

  const { body: factor } = await call('POST /api/v1/auth/totp', { as: supervisor, body: { password } });
  const app = new TOTP({ secret: factor.secret });
  await call('POST /api/v1/auth/totp/confirm', { as: supervisor, body: { code: app.generate() } });
  // A code is good once; the one after is good already.
  const later = app.generate({ timestamp: Date.now() + 30_000 });
  await call('POST /api/v1/auth/totp/remove', { as: supervisor, body: { password, code: later } });
  const other = await newPersonWithPassword(world);
  const { body: lost } = await call('POST /api/v1/auth/totp', { as: other, body: { password } });
  const lostCode = new TOTP({ secret: lost.secret }).generate();
  await call('POST /api/v1/auth/totp/confirm', { as: other, body: { code: lostCode } });
  await call('DELETE /api/v1/auth/totp', { query: { user: other.username } });

  const change = { currentPassword: password, newPassword: 'a lighthouse made of paper' };
  await call('POST /api/v1/auth/password', { as: supervisor, body: change });
  const { sessionId } = await world.newPerson(['agent']);
  await call('DELETE /api/v1/auth/sessions/:id', { params: { id: sessionId } });
  await call('DELETE /api/v1/auth/sessions', { as: supervisor });
  await call('POST /api/v1/auth/logout', { as: supervisor });
}

async function people(call: Call, world: World): Promise<void> {
  const person = {
    username: 'amara.diallo',
    displayName: 'Amara Diallo',
    email: 'amara@example.com',
    team: 'north',
    roles: ['agent'],
    password: 'quiet-harbour-lantern-42',
  };
  const { body: made, headers } = await call('POST /api/v1/users', { body: person });
  const params = { id: made.id };
  await call('GET /api/v1/users', { query: { q: 'amara', limit: '2' } });
  await call('GET /api/v1/users/:id', { params });
  await call('PATCH /api/v1/users/:id', {
    params,
    body: { team: 'south' },
    headers: { 'if-match': headers.get('etag') as string },
  });
  const role = { ...params, role: 'operations' };
  await call('PUT /api/v1/users/:id/roles/:role', { params: role });
  await call('GET /api/v1/users/:id/roles', { params });
  await call('DELETE /api/v1/users/:id/roles/:role', { params: role });
  await call('POST /api/v1/users/:id/password', { params, body: { password: 'seven-copper-kettles-9' } });
  await call('POST /api/v1/users/:id/deactivate', { params });
  await call('POST /api/v1/users/:id/reactivate', { params });
  await call('GET /api/users', { query: { limit: '1' } });
  await call('GET /api/users/:id', { params });
  await call('GET /api/users/:id/roles', { params });
  await world.newPerson(['agent']);
}

async function roles(call: Call): Promise<void> {
  const role = { name: 'night-desk', description: 'Reads at night', permissions: { 'payments:read': 'all' } };
  const { headers } = await call('POST /api/v1/roles', { body: role });
  const params = { name: role.name };
  await call('PATCH /api/v1/roles/:name', {
    params,
    body: { permissions: { 'payments:read': 'all', 'jobs:read': 'all' } },
    headers: { 'if-match': headers.get('etag') as string },
  });
  await call('GET /api/v1/roles', { unrecorded: true });
  await call('GET /api/v1/roles/:name', { params });
  await call('DELETE /api/v1/roles/:name', { params });
  await call('GET /api/v1/permissions', { unrecorded: true });
  await call('GET /api/roles', { unrecorded: true });
  await call('GET /api/roles/:id/permissions', { params: { id: 'service' } });
}

async function keys(call: Call): Promise<void> {
  const key = { name: 'nightly report', scopes: ['payments:read'], expiresAt: inDays(90) };
  const { body: made } = await call('POST /api/v1/api-keys', { body: key });
  const params = { prefix: made.prefix };
  await call('GET /api/v1/api-keys', { query: { status: 'live', limit: '1' } });
  await call('GET /api/v1/api-keys/:prefix', { params });
  const rotation = { graceHours: 24 };
  const { body: rotated } = await call('POST /api/v1/api-keys/:prefix/rotate', { params, body: rotation });
  await call('POST /api/v1/api-keys/:prefix/revoke', { params: { prefix: rotated.prefix } });
}
