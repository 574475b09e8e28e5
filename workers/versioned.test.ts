import { Hono } from 'hono';
import { stream } from 'hono/streaming';
import { expect, test } from 'vitest';
import { refuse } from './app.ts';
import { conditionalReads } from './etag.ts';
import { changedMeanwhile, expectedVersion, showVersion } from './versioned.ts';

const app = new Hono();
let version = 3;
app.use(async (c, next) => {
  c.set('requestId' as never, 'req-12345' as never);
  await next();
  c.header('x-request-id', 'req-12345');
});
app.use(conditionalReads);
app.get('/thing', (c) => {
  showVersion(c, version);
  return c.json({ version });
});
app.put('/thing', (c) => {
  const expected = expectedVersion(c);
  if (!expected.ok) return expected.refusal;
  if (expected.value !== version) return changedMeanwhile(c, { version }, { wish: 1 });
  version += 1;
  showVersion(c, version);
  return c.json({ version });
});
app.get('/hashed', (c) => c.json({ text: c.req.query('text') ?? '' }));
app.get('/own', (c) => c.json({}, 200, { 'cache-control': 'no-store' }));
app.get('/missing', (c) => refuse(c, 'not_found'));
app.get('/endless', (c) => {
  c.header('content-type', 'text/event-stream');
  return stream(c, async (out) => {
    await out.write('first\n');
    await new Promise<void>((resolve) => out.onAbort(resolve));
  });
});

const get = (path: string, ifNoneMatch?: string, method = 'GET') =>
  app.request(path, { method, headers: ifNoneMatch === undefined ? {} : { 'if-none-match': ifNoneMatch } });
const put = (ifMatch?: string) =>
  app.request('/thing', { method: 'PUT', headers: ifMatch === undefined ? {} : { 'if-match': ifMatch } });

test.each([undefined, '', '*', '3', '"3', '"3", "4"'])(
  'a change with If-Match %j names no version',
  async (tag) => {
    const response = await put(tag);
    expect(response.status).toBe(428);
    expect(await response.json()).toMatchObject({ code: 'version_required' });
  },
);

test.each(['"2"', '"4"', '""', '"03"', '"abc"', '"9999999999"', '"-3"'])(
  'a change that was made from %s is told what is there now, and what it wanted',
  async (tag) => {
    const response = await put(tag);
    expect(response.status).toBe(412);
    expect(response.headers.get('etag')).toBe('"3"');
    expect(await response.json()).toMatchObject({
      code: 'changed_meanwhile',
      present: { version: 3 },
      wanted: { wish: 1 },
    });
  },
);

test('a change of the present version is made, also under a tag that a proxy has weakened', async () => {
  const first = await put('"3"');
  expect([first.status, first.headers.get('etag')]).toEqual([200, '"4"']);
  expect((await put('"3"')).status).toBe(412);
  expect((await put('W/"4"')).headers.get('etag')).toBe('"5"');
  expect((await get('/thing', '"4"')).status).toBe(200);
  expect((await get('/thing', '"5"')).status).toBe(304);
});

test('an answer that its asker has is not sent again, and keeps its headers', async () => {
  const first = await get('/hashed?text=a');
  const tag = first.headers.get('etag') as string;
  expect(tag).toMatch(/^"[^"]{20,}"$/);
  expect(first.headers.get('vary')).toBe('Authorization, Cookie');
  expect(await first.json()).toEqual({ text: 'a' });
  for (const asked of [tag, `W/${tag}`, `"other", ${tag}`, '*']) {
    const again = await get('/hashed?text=a', asked);
    expect(again.status).toBe(304);
    expect(await again.text()).toBe('');
    expect([...again.headers.keys()].sort()).toEqual(['etag', 'vary', 'x-request-id']);
  }
  expect((await get('/hashed?text=b', tag)).status).toBe(200);
});

test('HEAD answers the tag of GET, without a body, and 304 alike', async () => {
  const tag = (await get('/hashed')).headers.get('etag') as string;
  const head = await get('/hashed', undefined, 'HEAD');
  expect([head.status, head.headers.get('etag'), await head.text()]).toEqual([200, tag, '']);
  expect((await get('/hashed', tag, 'HEAD')).status).toBe(304);
});

test('what a route says about keeping stays, and refusals have no tag', async () => {
  expect((await get('/own')).headers.get('cache-control')).toBe('no-store');
  const refusal = await get('/missing', '*');
  expect([refusal.status, refusal.headers.get('etag')]).toEqual([404, null]);
});

test('a stream is passed on as it comes', async () => {
  const response = await get('/endless', '*');
  expect([response.status, response.headers.get('etag')]).toEqual([200, null]);
  const reader = response.body!.getReader();
  expect(new TextDecoder().decode((await reader.read()).value)).toBe('first\n');
  await reader.cancel();
});
