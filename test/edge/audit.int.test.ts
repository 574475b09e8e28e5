// The audit trail and its reports over HTTP, on every runtime.

import { beforeAll, describe, expect, test } from 'vitest';
import { askedBy } from '../../shared/audit/asker.ts';
import { note } from '../../shared/audit/note.ts';
import { ask, expectProblem, read } from './asking.ts';
import { oneRuntime } from './runtimes.ts';
import { type TestPerson, useWorld } from './world.ts';

const odd = '=cmd|"x"<script>alert(1)</script>';

describe.each(oneRuntime)('on %s', (runtime) => {
  const world = useWorld(runtime);
  let auditor: TestPerson;
  let agent: TestPerson;
  const get = (path: string, person: TestPerson = auditor, headers: Record<string, string> = {}) =>
    ask(`${world.edge.urls.api}${path}`, { headers: { cookie: person.cookie, ...headers } });

  beforeAll(async () => {
    auditor = await world.newPerson(['auditor']);
    agent = await world.newPerson(['agent']);
    const asked = askedBy(world.db, {
      actor: 'service:auth',
      address: '192.0.2.7',
      requestId: 'request-0001',
    });
    for (const id of [odd, 'bob', 'eve'])
      await note(asked, {
        action: 'sign_in.failed',
        subject: { kind: 'user', id },
        details: { because: 'wrong_password' },
      });
  });

  test('auditors read it, in pages and by filters, and nobody else does', async () => {
    const first = await get('/api/v1/audit?action=sign_in.&limit=2');
    expect(first.status, first.text).toBe(200);
    expect(first.headers.get('cache-control')).toBe('no-store');
    expect(first.body.data).toMatchObject([
      { action: 'sign_in.failed', subjectId: 'eve', address: '192.0.2.7', requestId: 'request-0001' },
      { subjectId: 'bob' },
    ]);
    const second = await get(
      `/api/v1/audit?action=sign_in.&limit=2&after=${encodeURIComponent(first.body.next)}`,
    );
    expect(second.body).toMatchObject({ data: [{ subjectId: odd }], next: null });
    expect((await get('/api/v1/audit?q=bob')).body.data[0]).toMatchObject({ subjectId: 'bob' });
    const today = new Date().toISOString().slice(0, 10);
    expect(
      (await get(`/api/v1/audit?subjectId=eve&from=2020-01-01&to=${today}`)).body.data.length,
    ).toBeLessThan(2);
    expect((await get('/api/v1/audit?to=2020-01-01')).body).toEqual({ data: [], next: null });
    for (const path of ['/api/v1/audit', '/api/v1/audit/reports/lockouts', '/reports', '/reports/lockouts']) {
      expectProblem(await get(path, agent), 404, 'not_found');
      expectProblem(await read(world.edge, path), 401, 'unauthenticated');
    }
  });

  test('whoever reads it is in it', async () => {
    await get('/api/v1/audit?actor=user:somebody&limit=1');
    await get('/api/v1/audit/reports/customer-reads?subject=C1');
    const { data } = (await get(`/api/v1/audit?actor=user:${auditor.username}&limit=2`)).body;
    expect(data).toMatchObject([
      {
        action: 'report.read',
        subjectKind: 'report',
        subjectId: 'customer-reads',
        details: { subject: 'C1', format: 'json' },
        sessionId: auditor.sessionId,
        requestId: expect.any(String),
      },
      { action: 'audit.read', details: { actor: 'user:somebody' } },
    ]);
  });

  test.each([
    'from=yesterday',
    'to=2026-02-30',
    'after=x',
    `after=${btoa('2026-01-01T00:00:00.000000Z|x')}`,
    'q=%20-',
    'action=A',
    'limit=0',
    'limit=1&limit=2',
    'actor=',
  ])('%s is refused', async (query) => {
    expectProblem(await get(`/api/v1/audit?${query}`), 400, 'invalid_query');
  });

  test('a report is JSON, or CSV in which nothing is a formula', async () => {
    const json = await get('/api/v1/audit/reports/failed-sign-ins?limit=1');
    expect(json.body).toMatchObject({
      data: [{ username: 'eve', reason: 'wrong_password', address: '192.0.2.7', requestId: 'request-0001' }],
      next: expect.any(String),
    });
    for (const csv of [
      await get('/api/v1/audit/reports/failed-sign-ins?format=csv'),
      await get('/api/v1/audit/reports/failed-sign-ins', auditor, { accept: 'text/csv' }),
    ]) {
      expect(csv.status, csv.text).toBe(200);
      expect(csv.headers.get('content-type')).toContain('text/csv');
      expect(csv.headers.get('content-disposition')).toMatch(
        /^attachment; filename="failed-sign-ins-\d{4}-\d\d-\d\d\.csv"$/,
      );
      const lines = csv.text.split('\r\n');
      expect(lines[0]).toBe('at,username,reason,address,requestId');
      expect(lines[1]).toMatch(/Z,eve,wrong_password,192\.0\.2\.7,request-0001$/);
      expect(lines[3]).toContain(`,"'=cmd|""x""<script>alert(1)</script>",`);
      expect(lines).toHaveLength(5);
    }
    expectProblem(await get('/api/v1/audit/reports/nothing'), 404, 'not_found');
  });

  test('a long report comes whole', async () => {
    await world.db.query(
      `insert into audit.entries (actor, action, subject_kind, subject_id)
       select 'service:auth', 'sign_in.locked', 'user', 'n' || n from generate_series(1, 2500) n`,
    );
    const { text } = await get('/api/v1/audit/reports/lockouts?format=csv');
    const names = text
      .split('\r\n')
      .slice(1, -1)
      .map((line) => line.split(',')[1]);
    expect(names).toEqual(Array.from({ length: 2_500 }, (_, n) => `n${2_500 - n}`));
  });

  test('the reports are pages that run nothing, and show what they are given as text', async () => {
    const list = await get('/reports');
    expect(list.status, list.text).toBe(200);
    expect(list.headers.get('content-type')).toContain('text/html');
    const page = await get('/reports/failed-sign-ins?from=&to=&actor=&subject=&limit=2');
    expect(page.status, page.text).toBe(200);
    expect(page.headers.get('content-security-policy')).toBe(
      "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    );
    expect(page.text).toContain('<td>eve</td>');
    const [, older = ''] = /rel="next" href="([^"]+)"/.exec(page.text) ?? [];
    const next = await get(older.replaceAll('&amp;', '&'));
    expect(next.text).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    expect(next.text).not.toMatch(/<script|\sstyle=|\son[a-z]+=/);
    const named = await get(`/reports/failed-sign-ins?subject=${encodeURIComponent(odd)}`);
    expect(named.text).toContain('value="=cmd|&quot;x&quot;&lt;script&gt;');
    const style = await read(world.edge, '/reports/style.css');
    expect(style.status).toBe(200);
    expect(style.headers.get('content-type')).toContain('text/css');
    expectProblem(await get('/reports/nothing'), 404, 'not_found');
  });
});
