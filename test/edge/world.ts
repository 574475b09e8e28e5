// What stands behind the three Workers in a test: a real Postgres with the real roles, a real Redis, the doors in
// front of them, and a gate on every way, so that each can go away or fall silent. One per runtime and file.

import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, inject } from 'vitest';
import { openPool, type Pool } from '../../containers/database.ts';
import type { Door } from '../../dev/doors/door.ts';
import { openNeonDoor } from '../../dev/doors/neon.ts';
import { openTcpGate, type TcpGate } from '../../dev/doors/tcp-gate.ts';
import { openUpstashDoor } from '../../dev/doors/upstash.ts';
import type { Role } from '../../drizzle/migrate.ts';
import { createApiKey } from '../../shared/staff/create-key.ts';
import { createUser } from '../../shared/staff/create-user.ts';
import { openSession } from '../../shared/staff/open-session.ts';
import type { Permission } from '../../shared/staff/permissions.ts';
import type { Reach } from '../../shared/staff/roles.ts';
import { readAuthSettings } from '../../workers/auth/env.ts';
import { newSignInKey } from '../../workers/auth/sign-in-keys.ts';
import { newTokenKeys } from '../../workers/auth/token-keys.ts';
import { sessionCookie } from '../../workers/caller.ts';
import { createTestDatabase, createTestRedis, type TestDatabase } from '../database.ts';
import type { WorkerSettings } from './apps.ts';
import { channelSettings } from './channels.ts';
import { type EdgeLedger, gatewayKey, startEdgeLedger } from './ledger.ts';
import { type Edge, type EdgeOptions, type Runtime, startEdge } from './runtimes.ts';

export const timeZone = 'Europe/Berlin';
const token = 'token-of-the-test-redis';

/** For those who ask more in a minute than anybody should. */
export const unlimited = Object.fromEntries(
  ['USER', 'KEY', 'ADDRESS'].map((name) => [`${name}_RATE_LIMIT_PER_MINUTE`, '1000000']),
);

/** Settings on top of the suite's own, by Worker. */
export type Changes = Partial<WorkerSettings>;

export interface World {
  edge: Edge;
  /** The superuser's, past every gate. */
  db: Pool;
  gates: {
    /** Workers to the database's HTTP door. */
    database: TcpGate;
    /** The door to Postgres. */
    postgres: TcpGate;
    /** Workers to Redis' HTTP door. */
    redis: TcpGate;
    /** Workers to the HTTP door of the Redis that keeps accepted payments. */
    accepted: TcpGate;
  };
  /** The ledger, and the way to its gateway. */
  ledger: EdgeLedger;
  /** Of the Redis behind its gate and door. */
  redisUrl: string;
  /** That Redis itself; Workers know of it where `changes` say so. */
  acceptedRedisUrl: string;
  /** For the webhooks Worker that is to accept payments while the database is away. */
  accepting: Record<string, string>;
  /** A role's way to Postgres, through the gate. */
  urlFor(role: Role): string;
  /** Another one beside the first, as Cloudflare starts isolates; it remembers nothing of the first. */
  anotherEdge(changes?: Changes): Promise<Edge>;
  /** What such an edge is started with. */
  edgeOptions(changes?: Changes): EdgeOptions;
  /** Somebody new with these roles, in a new session: what a browser's cookie and a client's header carry. */
  newPerson(roles: readonly string[], team?: string): Promise<TestPerson>;
  /** Somebody new whose one role, a new one, is worth this. */
  newPersonWith(
    permissions: Partial<Record<Permission, Reach>>,
    team?: string,
  ): Promise<TestPerson & { role: string }>;
  /** The token of a new API key. */
  newKey(scopes: readonly Permission[], expiresAt?: Date): Promise<string>;
}

export interface TestPerson {
  id: string;
  username: string;
  sessionId: string;
  cookie: string;
  /** Of a client's session beside the browser's. */
  accessToken: string;
}

let people = 0;
const anHour = 3_600;

/** To be called in a `describe`: the world is there when its tests run. */
export function useWorld(runtime: Runtime, changes: Changes = {}): World {
  const world = {} as World;
  const edges: Edge[] = [];
  const gates: TcpGate[] = [];
  const doors: Door[] = [];
  let database: TestDatabase;

  const gateTo = async (url: string) => {
    const { hostname, port } = new URL(url);
    const gate = await openTcpGate({ host: hostname, port: Number(port) });
    gates.push(gate);
    return gate;
  };
  const doorOf = async (opening: Promise<Door>) => {
    const door = await opening;
    doors.push(door);
    return door.url;
  };

  beforeAll(async () => {
    const tokenKeys = await newTokenKeys();
    const signInKey = newSignInKey('test');
    const folder = mkdtempSync(join(inject('runFolder'), `${runtime}-`));
    const redis = await createTestRedis();
    world.ledger = await startEdgeLedger();
    world.redisUrl = redis.url;
    database = await createTestDatabase();
    world.db = openPool({ url: database.url, min: 0, max: 4, applicationName: 'test', timeoutMs: 10_000 });
    const postgres = await gateTo(database.url);
    // The container knows no door: both gates are on its way to Postgres.
    const hasDoor = runtime !== 'container';
    const way = hasDoor ? await doorOf(openNeonDoor({ port: 0 })) : `tcp://127.0.0.1:${postgres.port}`;
    world.gates = {
      postgres,
      database: await gateTo(way),
      redis: await gateTo(await doorOf(openUpstashDoor({ port: 0, redisUrl: redis.url, token }))),
      accepted: await gateTo(await doorOf(openUpstashDoor({ port: 0, redisUrl: redis.url, token }))),
    };
    world.acceptedRedisUrl = redis.url;
    world.accepting = {
      ACCEPTED_REDIS_REST_URL: `http://127.0.0.1:${world.gates.accepted.port}`,
      ACCEPTED_REDIS_REST_TOKEN: token,
    };
    const common = {
      DATABASE_FETCH_ENDPOINT: `http://127.0.0.1:${world.gates.database.port}/sql`,
      UPSTASH_REDIS_REST_URL: `http://127.0.0.1:${world.gates.redis.port}`,
      UPSTASH_REDIS_REST_TOKEN: token,
    };
    const urlFor = (role: Role) =>
      Object.assign(new URL(database.urlFor(role)), {
        port: (hasDoor ? world.gates.postgres : world.gates.database).port,
      }).href;
    world.urlFor = urlFor;
    world.edgeOptions = (more = {}) => {
      const settingsOf = (worker: keyof WorkerSettings, own: Record<string, string>) => ({
        ...common,
        ...own,
        ...changes[worker],
        ...more[worker],
      });
      const settings = {
        api: settingsOf('api', {
          DATABASE_URL: urlFor('recoup_api'),
          BUSINESS_TIME_ZONE: timeZone,
          CHANNELS: channelSettings.CHANNELS as string,
          LEDGER_GATEWAY_URL: world.ledger.url,
          LEDGER_GATEWAY_KEY: gatewayKey,
        }),
        auth: settingsOf('auth', {
          DATABASE_URL: urlFor('recoup_auth'),
          TOKEN_KEYS: tokenKeys,
          SIGN_IN_KEYS: signInKey,
          // All tests come from one address.
          SIGN_IN_RATE_LIMIT_PER_MINUTE: '1000000',
        }),
        webhooks: settingsOf('webhooks', {
          DATABASE_URL: urlFor('recoup_webhooks'),
          BUSINESS_TIME_ZONE: timeZone,
          ...channelSettings,
        }),
      };
      return { folder, settings, edgeDatabaseUrl: urlFor('recoup_edge') };
    };
    world.anotherEdge = async (more) => {
      const edge = await startEdge(runtime, world.edgeOptions(more));
      edges.push(edge);
      return edge;
    };
    world.newPerson = async (roles, team) => {
      const username = `person-${++people}`;
      const by = { source: 'password' as const, hash: 'none', mustChange: false };
      const person = {
        username,
        displayName: `Person ${people}`,
        email: null,
        team: team ?? null,
        roles,
        by,
      };
      const made = await createUser(world.db, { ...person, actor: 'test' });
      if (!made.ok) throw new Error(made.refusal);
      const session = {
        userId: made.value.id,
        method: 'password' as const,
        device: 'test',
        address: null,
        idleSeconds: anHour,
        lifetimeSeconds: anHour,
      };
      const browser = await openSession(world.db, { ...session, kind: 'browser' });
      const client = await openSession(world.db, { ...session, kind: 'client' });
      const { tokens } = readAuthSettings(world.edgeOptions().settings.auth);
      return {
        id: made.value.id,
        username,
        sessionId: browser.id,
        cookie: `${sessionCookie}=${browser.secret}`,
        accessToken: await tokens.sign(username, { sid: client.id }),
      };
    };
    world.newPersonWith = async (permissions, team) => {
      const role = `role-of-${people + 1}`;
      await world.db.query(`insert into staff.roles (name, description) values ($1, 'made by a test')`, [
        role,
      ]);
      await world.db.query(
        'insert into staff.role_permissions select $1, key, value from jsonb_each_text($2::jsonb)',
        [role, JSON.stringify(permissions)],
      );
      return { ...(await world.newPerson([role], team)), role };
    };
    world.newKey = async (scopes, expiresAt) => {
      const key = { name: 'edge suite', scopes, expiresAt: expiresAt ?? null, actor: 'test' };
      return (await createApiKey(world.db, key)).token;
    };
    world.edge = await world.anotherEdge();
  });

  afterEach(async () => {
    Object.assign(world.ledger, { mood: 'well', sparesReads: true });
    await Promise.all(gates.map((gate) => gate.comeBack()));
  });

  afterAll(async () => {
    for (const edge of edges.reverse()) await edge.stop();
    await Promise.all(gates.map((gate) => gate.goAway()));
    await Promise.all(doors.map((door) => door.close()));
    await world.ledger?.close();
    await world.db?.close();
    await database?.drop();
  });
  return world;
}
