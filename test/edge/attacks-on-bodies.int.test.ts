// Attacks by what stands in a body, on every declared route that takes one, so that a new route is attacked by itself:
// fields that are not the sender's to say, bodies that are none, too large, or never end.

import { connect } from 'node:net';
import { beforeAll, describe, expect, test } from 'vitest';
import { createApi } from '../../workers/api/main.ts';
import { createAuth } from '../../workers/auth/main.ts';
import { declaredIn } from '../../workers/route.ts';
import { type Answer, ask, expectProblem } from './asking.ts';
import { playStory, type Story } from './scenario.ts';
import { unlimited, useWorld } from './world.ts';

const nowhere = '00000000-0000-4000-8000-000000000000';
const takingBodies = [...declaredIn(createApi()), ...declaredIn(createAuth())].filter(
  ({ spec }) => spec.body ?? spec.bodyShape,
);
const deep = (opening: string, closing: string, depth: number) =>
  `${opening.repeat(depth)}1${closing.repeat(depth)}`;
const noObjects: Array<[what: string, body: string | Buffer]> = [
  ['nothing', ''],
  ['a list', '[]'],
  ['a text', '"x"'],
  ['half an object', '{"reason":'],
  ['two objects', '{}{}'],
  ['no UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])],
  ['lists in lists', deep('[', ']', 20_000)],
  ['objects in objects', deep('{"a":', '}', 9_000)],
  ['a prototype', '{"__proto__":{"isAdmin":true},"constructor":{"prototype":{"isAdmin":true}}}'],
];
/** What is never the sender's to say. */
const forged = {
  id: nowhere,
  actor: 'user:forged',
  createdBy: 'user:forged',
  decidedBy: 'user:forged',
  approvedBy: 'user:forged',
  author: 'user:forged',
  recordedBy: 'user:forged',
  source: 'forged',
  status: 'forged',
  version: 77_777,
  createdAt: '1999-01-01T00:00:00Z',
  isAdmin: true,
  mustChangePassword: false,
  sessionId: nowhere,
};

describe('an attacker who may change everything', { timeout: 60_000 }, () => {
  const world = useWorld('node', { api: unlimited, auth: unlimited });
  let story: Story;
  beforeAll(async () => {
    story = await playStory(world);
  }, 120_000);
  const send = (
    method: string,
    path: string,
    body: string | Buffer | ReadableStream,
    token?: string,
  ): Promise<Answer> =>
    ask(`${world.edge.urls.api}${path}`, {
      method,
      body,
      duplex: 'half',
      headers: {
        authorization: `Bearer ${token ?? story.key}`,
        'content-type': 'application/json',
        'if-match': '"1"',
      },
    } as RequestInit);
  const pathOf = (path: string, params: Record<string, string> = {}) =>
    path.replace(/:(\w+)/g, (_, name) => encodeURIComponent(params[name] ?? nowhere));

  /** Under another name, where it is about something new. */
  const renewed = (body: object) =>
    Object.fromEntries(
      Object.entries(body).map(([name, value]) => [
        name,
        ['referenceNumber', 'username', 'reversalReference'].includes(name) ? `${value}-2` : value,
      ]),
    );

  test('says nothing of what is not theirs to say: who did it, when, and what became of it', async () => {
    let tried = 0;
    for (const { method, path } of takingBodies) {
      const examples = Object.values(story.examples[`${method} ${path}`] ?? {});
      for (const { body, params } of examples.filter((example) => example.body !== undefined)) {
        const own = JSON.stringify({ ...forged, ...renewed(body as object) });
        const answer = await send(method, pathOf(path, params), own);
        expect(answer.status, `${method} ${path}: ${answer.text}`).toBeLessThan(500);
        if (answer.status < 300)
          expect(answer.text, `${method} ${path}`).not.toMatch(/forged|77777|1999-01-01/);
        tried++;
      }
    }
    expect(tried).toBeGreaterThan(15);
    const tables = await world.db.query<{ name: string }>(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables
       where schemaname not in ('pg_catalog', 'information_schema')`,
    );
    expect(tables.length).toBeGreaterThan(30);
    for (const { name } of tables) {
      const kept = await world.db.query(`select t::text from ${name} t where t::text ~ 'forged|1999-01-01'`);
      expect(kept, name).toEqual([]);
    }
  });

  test('is told that it is none by whatever takes a body', async () => {
    // Somebody of their own, because a body of another kind may sign them out.
    const { accessToken } = await world.newPerson(['admin']);
    for (const { method, path } of takingBodies) {
      for (const [what, body] of noObjects) {
        const answer = await send(method, pathOf(path), body, accessToken);
        expect(answer.status, `${method} ${path} with ${what}: ${answer.text}`).toBeGreaterThanOrEqual(400);
        expect(answer.status, `${method} ${path} with ${what}: ${answer.text}`).toBeLessThan(500);
      }
    }
    expect(({} as { isAdmin?: unknown }).isAdmin).toBe(undefined);
  });

  test('sends no more than is read, whether or not it says how much is coming', async () => {
    const { accessToken } = await world.newPerson(['admin']);
    const large = JSON.stringify({ reason: 'x'.repeat(70_000) });
    for (const { method, path, spec } of takingBodies) {
      const answer = await send(method, pathOf(path), large, accessToken);
      // Where the path names something that is not there, it may be told before.
      if (spec.params === undefined || answer.status !== 404) expect(answer.status, path).toBe(413);
    }
    let sent = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 16_384;
        if (sent > 100_000_000) controller.close();
        else controller.enqueue(new Uint8Array(16_384).fill(0x20));
      },
    });
    // The answer comes, or the connection is closed on the sender.
    const answer = await send('POST', '/api/v1/users', endless, accessToken).catch(() => undefined);
    if (answer) expectProblem(answer, 413, 'body_too_large');
    expect(sent).toBeLessThan(10_000_000);
  });

  test('holds nothing up by a body that never comes', async () => {
    const { hostname, port } = new URL(world.edge.urls.api);
    const paths = ['/api/v1/users', '/api/v1/auth/token', '/api/v1/auth/login', '/api/v1/payments'];
    const answers = await Promise.all(
      paths.map(
        (path) =>
          new Promise<string>((resolve) => {
            const socket = connect(Number(port), hostname);
            let text = '';
            socket.on('error', () => {});
            socket.on('close', () => resolve(text));
            socket.setTimeout(9_000, () => socket.destroy());
            socket.on('data', (part) => {
              text += part;
              if (/\r\n\r\n.*\}/s.test(text)) socket.destroy();
            });
            socket.write(
              `POST ${path} HTTP/1.1\r\nhost: ${hostname}:${port}\r\nauthorization: Bearer ${story.key}\r\n` +
                `sec-fetch-site: same-origin\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"reason":`,
            );
          }),
      ),
    );
    for (const [i, text] of answers.entries()) expect(text, paths[i]).toMatch(/^HTTP\/1\.1 408 /);
  });
});
