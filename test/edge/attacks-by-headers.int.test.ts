// Attacks by what a request says about itself in its headers: who sends it, from where, to which host, and what it
// would have written into an answer.

import { request } from 'node:http';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { createApi } from '../../workers/api/main.ts';
import { createAuth } from '../../workers/auth/main.ts';
import { declaredIn } from '../../workers/route.ts';
import { type Answer, ask, expectProblem, tally } from './asking.ts';
import { everyPermission } from './scenario.ts';
import { newPersonWithPassword, postJson } from './signing-in.ts';
import { unlimited, useWorld } from './world.ts';

/** Those whose answers come to an end. */
const reads = [...declaredIn(createApi()), ...declaredIn(createAuth())].filter(
  ({ method, spec }) => method === 'GET' && spec.mediaType !== 'text/event-stream',
);
const evil = 'evil.example';

describe.each(['workerd', 'node'] as const)('on %s', (runtime) => {
  const world = useWorld(runtime, { api: unlimited, auth: unlimited });

  test('headers that claim an identity, an address or another path make nobody anybody', async () => {
    const admin = await world.newPerson(['admin']);
    const agent = await world.newPerson(['agent']);
    const claimed = Object.fromEntries(
      [
        ...['x-user', 'x-user-id', 'x-username', 'x-remote-user', 'remote-user', 'x-forwarded-user'],
        ...['x-auth-request-user', 'x-authenticated-userid', 'x-webauth-user', 'x-consumer-username'],
        'cf-access-authenticated-user-email',
      ].map((name) => [name, admin.username]),
    );
    const roles = Object.fromEntries(
      ['x-roles', 'x-user-roles', 'x-user-role', 'x-groups', 'x-forwarded-groups', 'x-scopes'].map((name) => [
        name,
        'admin',
      ]),
    );
    const elsewhereOf = Object.fromEntries(
      ['x-original-url', 'x-rewrite-url', 'x-forwarded-prefix', 'x-forwarded-uri'].map((name) => [
        name,
        '/health',
      ]),
    );
    const near = {
      ...{ 'x-forwarded-for': '127.0.0.1', 'x-real-ip': '127.0.0.1', 'x-forwarded-host': 'localhost' },
      ...{ forwarded: 'for=127.0.0.1', 'x-internal': 'true', 'cf-worker': 'recoup-api', via: 'recoup' },
    };
    const all = { ...claimed, ...roles, ...elsewhereOf, ...near };
    for (const url of [world.edge.urls.api, world.edge.urls.auth]) {
      const who = await ask(`${url}/api/v1/auth/me`, { headers: all });
      expectProblem(who, 401, 'unauthenticated');
      const mine = { ...all, authorization: `Bearer ${agent.accessToken}` };
      expect((await ask(`${url}/api/v1/auth/me`, { headers: mine })).body).toMatchObject({
        username: agent.username,
        roles: ['agent'],
      });
      expectProblem(await ask(`${url}/api/v1/users`, { headers: mine }), 404, 'not_found');
    }
  });

  test('an address that a sender makes up is neither written down nor counted', async () => {
    const { username } = await newPersonWithPassword(world);
    await world.db.query('truncate staff.sign_in_attempts');
    const tries: Answer[] = [];
    for (const n of [1, 2, 3]) {
      const grant = { grant_type: 'password', username, password: 'wrong password' };
      const address = `198.51.100.${n}`;
      const claimed = { 'x-forwarded-for': address, 'x-real-ip': address, 'true-client-ip': address };
      tries.push(await postJson(world.edge, '/api/v1/auth/token', grant, claimed));
    }
    expect(tally(tries)).toEqual({ 400: 3 });
    const addresses = await world.db.query(
      `select distinct address from audit.entries where subject_id = $1 and action = 'sign_in.failed'`,
      [username],
    );
    expect(addresses).toHaveLength(1);
    expect(JSON.stringify(addresses)).not.toContain('198.51.100');
    const counted = await world.db.query<{ failures: number }>(
      `select failures from staff.sign_in_attempts where kind = 'address' and failures > 0`,
    );
    expect(counted).toEqual([{ failures: 3 }]);
  });

  test('no answer leads to, or tells of, a host that the request made up', async () => {
    const key = await world.newKey(everyPermission);
    const url = new URL(world.edge.urls.api);
    const named = { host: evil, 'x-forwarded-host': evil, 'x-forwarded-proto': 'javascript', referer: evil };
    /** `fetch` lets nobody choose the host. */
    const get = (path: string) =>
      new Promise<string>((resolve, reject) => {
        const headers = { ...named, authorization: `Bearer ${key}` };
        const sent = request({ host: url.hostname, port: url.port, path, headers }, (answer) => {
          let text = JSON.stringify(answer.headers);
          answer.on('data', (part) => {
            text += part;
          });
          answer.on('end', () => resolve(text));
        });
        sent.on('error', reject).setTimeout(10_000, () => sent.destroy(new Error(`${path} is silent`)));
        sent.end();
      });
    expect(reads.length).toBeGreaterThan(30);
    for (const { path } of reads) {
      const goOn = ['next', 'return', 'returnTo', 'redirect', 'redirect_uri', 'url', 'continue'];
      const query = goOn.map((name) => `${name}=${encodeURIComponent(`https://${evil}/`)}`).join('&');
      for (const asked of [path.replace(/:\w+/g, 'x'), `${path.replace(/:\w+/g, 'x')}?limit=1&${query}`]) {
        // A link to the next page repeats the query, on this very host.
        const text = (await get(asked)).replace(/<\/[^/>][^>]*>/g, '');
        expect(text, asked).not.toContain(evil);
      }
    }
  });

  test('what a request says comes back in no header of its own making', async () => {
    const key = await world.newKey(everyPermission);
    const crlf = '%0d%0aset-cookie:%20__Host-recoup_session=planted%0d%0a';
    for (const path of [
      `/api/users?limit=1&q=${crlf}`,
      `/api/v1/users?limit=1&q=${crlf}`,
      `/api/payments/loan/x${crlf}?limit=1&channel=${crlf}`,
      `/api/v1/customers/${crlf}`,
      `/reports/sign_ins.csv?actor=${crlf}`,
      `/${crlf}`,
    ]) {
      const { headers } = await ask(`${world.edge.urls.api}${path}`, {
        headers: { authorization: `Bearer ${key}` },
      });
      expect(headers.getSetCookie(), path).toEqual([]);
    }
    for (const id of [
      'short',
      'x'.repeat(65),
      'with space in it',
      'a"b,c;d=eeee',
      '<script>alert(1)</script>',
    ]) {
      const { headers } = await ask(`${world.edge.urls.api}/health`, { headers: { 'x-request-id': id } });
      expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    }
  });

  test('two requests in one, by lengths that contradict each other, are not answered as two', async () => {
    const { port, hostname } = new URL(world.edge.urls.api);
    const smuggled = 'GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n';
    const head = 'POST /api/v1/auth/token HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n';
    for (const framing of [
      `content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
      `content-length: 5\r\ncontent-length: 6\r\n\r\n{}   ${smuggled}`,
      `transfer-encoding: xchunked\r\n\r\n0\r\n\r\n${smuggled}`,
    ]) {
      const answer = await new Promise<string>((resolve) => {
        const socket = connect(Number(port), hostname);
        let text = '';
        socket.on('data', (part) => {
          text += part;
        });
        socket.on('error', () => {});
        socket.on('close', () => resolve(text));
        socket.setTimeout(1_000, () => socket.destroy());
        socket.write(head + framing);
      });
      expect(answer.match(/HTTP\/1\.1 \d{3}/g) ?? []).toHaveLength(1);
      expect(answer).toMatch(/^HTTP\/1\.1 4\d\d/);
    }
  });
});
