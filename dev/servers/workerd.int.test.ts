import { once } from 'node:events';
import { existsSync, mkdtempSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { bundle } from './bundle.ts';
import { freePort } from './port.ts';
import { startWorkers, type WorkerPlan } from './workerd.ts';

const compatibility = { compatibilityDate: '2026-09-01', compatibilityFlags: ['nodejs_compat'] };
const secret = 'quotes " and \\ back, ümlaut,\nnew line, \x01 and 🙂';

const front = `
import { text } from './text.ts';
export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    if (url.pathname === '/inner') return env.INNER.fetch(request);
    if (url.pathname === '/outside') return fetch(url.searchParams.get('url'));
    return Response.json({ ip: request.headers.get('cf-connecting-ip'), forwarded: request.headers.get('x-forwarded-for'),
      method: request.method, body: await request.text(), secret: env.SECRET, text });
  },
};`;
const inner = `export default { fetch: (request) => new Response('inner ' + request.headers.get('cf-connecting-ip')) };`;

let folder: string;
let plans: WorkerPlan[];
let port: number;
let workers: { stop(): Promise<void> };

beforeAll(async () => {
  folder = mkdtempSync(join(inject('runFolder'), 'workers-'));
  writeFileSync(join(folder, 'text.ts'), `export const text: string = 'bundled';`);
  writeFileSync(join(folder, 'front.ts'), front);
  port = await freePort();
  plans = [
    {
      name: 'front',
      script: await bundle(join(folder, 'front.ts')),
      bindings: { SECRET: secret },
      services: { INNER: 'inner' },
      listen: { host: '127.0.0.1', port },
      ...compatibility,
    },
    { name: 'inner', script: inner, bindings: {}, ...compatibility },
  ];
  workers = await startWorkers({ folder: join(folder, 'run'), logFile: join(folder, 'log'), workers: plans });
});

afterAll(() => workers.stop());

const ask = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${port}${path}`, init);

test('a worker learns who is calling from the edge, not from the caller', async () => {
  const headers = { 'cf-connecting-ip': '203.0.113.7', 'x-forwarded-for': '203.0.113.8' };
  const answer = await ask('/', { method: 'POST', body: 'päyload', headers });
  expect(await answer.json()).toEqual({
    ip: '127.0.0.1',
    forwarded: '203.0.113.8',
    method: 'POST',
    body: 'päyload',
    secret,
    text: 'bundled',
  });
});

test('a worker reaches another one by its service binding, and the address goes along', async () => {
  expect(await (await ask('/inner', { headers: { 'cf-connecting-ip': '203.0.113.7' } })).text()).toBe(
    'inner 127.0.0.1',
  );
});

test('a worker reaches a server on the loopback address', async () => {
  const server = createServer((_, response) => response.end('outside')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port: outside } = server.address() as AddressInfo;
  expect(await (await ask(`/outside?url=http://127.0.0.1:${outside}/`)).text()).toBe('outside');
  server.close();
});

test('the configuration with its secrets is not left on the disk', () => {
  expect(existsSync(join(folder, 'run', 'workers.capnp'))).toBe(false);
  expect(statSync(join(folder, 'run')).mode & 0o777).toBe(0o700);
});

test('a port that is taken is named, and so is a script that does not run', async () => {
  const other = { folder: join(folder, 'other'), logFile: join(folder, 'other.log') };
  await expect(startWorkers({ ...other, workers: plans })).rejects.toThrow(`port ${port} is already in use`);
  const broken = {
    ...plans[1]!,
    script: 'export default {;',
    listen: { host: '127.0.0.1', port: await freePort() },
  };
  await expect(startWorkers({ ...other, workers: [broken] })).rejects.toThrow(/SyntaxError/);
});

const hasIpv6 = Object.values(networkInterfaces()).some((list) =>
  list?.some(({ address }) => address === '::1'),
);

test.skipIf(!hasIpv6)('IPv6 callers are known by their address, too', async () => {
  const v6 = await freePort();
  const plan = { ...plans[1]!, listen: { host: '::1', port: v6 } };
  const options = { folder: join(folder, 'v6'), logFile: join(folder, 'v6.log'), workers: [plan] };
  const running = await startWorkers(options);
  expect(await (await fetch(`http://[::1]:${v6}/`)).text()).toBe('inner ::1');
  await running.stop();
});
