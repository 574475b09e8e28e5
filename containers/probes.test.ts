import { afterEach, expect, test } from 'vitest';
import { freePort } from '../dev/servers/port.ts';
import { openProbes, type Probes } from './probes.ts';

let probes: Probes | undefined;
afterEach(() => probes?.close());

const heartbeat = (healthy: boolean) => ({ process: 'test', instance: 'one', healthy, detail: {} });

async function open() {
  const port = await freePort();
  const clock = { ms: 1_000 };
  const database = { away: false };
  const opened = await openProbes(port, () => clock.ms);
  probes = opened;
  const send = opened.watching(async () => {
    if (database.away) throw new Error('away');
  });
  const ask = async (path: string) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`);
    return [answer.status, await answer.json()];
  };
  const all = async () =>
    (await Promise.all(['/startupz', '/livez', '/readyz'].map(ask))).map(([status]) => status);
  return { port, clock, database, send, ask, all };
}

test('before its first heartbeat a container lives, and neither has started nor is ready', async () => {
  const { clock, all } = await open();
  expect(await all()).toEqual([503, 200, 503]);
  clock.ms += 59_999;
  expect(await all()).toEqual([503, 200, 503]);
  clock.ms += 1;
  expect(await all()).toEqual([503, 503, 503]);
});

test('after a heartbeat that says that all is well it has started, lives and is ready', async () => {
  const { send, all, ask } = await open();
  await send(heartbeat(true));
  expect(await all()).toEqual([200, 200, 200]);
  expect(await ask('/readyz')).toEqual([200, { status: 'ok' }]);
});

test('while something it depends on is away it lives, and is not ready', async () => {
  const { send, all, ask } = await open();
  await send(heartbeat(true));
  await send(heartbeat(false));
  expect(await all()).toEqual([200, 200, 503]);
  expect(await ask('/readyz')).toEqual([503, { status: 'error' }]);
});

test('while the database is away it is not ready after half a minute, and dead after a whole one', async () => {
  const { clock, database, send, all } = await open();
  await send(heartbeat(true));
  database.away = true;
  clock.ms += 29_999;
  await expect(send(heartbeat(true))).rejects.toThrow('away');
  expect(await all()).toEqual([200, 200, 200]);
  clock.ms += 1;
  expect(await all()).toEqual([200, 200, 503]);
  clock.ms += 30_000;
  expect(await all()).toEqual([200, 503, 503]);
  database.away = false;
  await send(heartbeat(true));
  expect(await all()).toEqual([200, 200, 200]);
});

test('what is unwell is not ready at once, also when it cannot write so', async () => {
  const { database, send, all } = await open();
  await send(heartbeat(true));
  database.away = true;
  await expect(send(heartbeat(false))).rejects.toThrow('away');
  expect(await all()).toEqual([200, 200, 503]);
});

test('nothing else is answered', async () => {
  const { ask } = await open();
  for (const path of ['/', '/health', '/livez?x', '/constructor']) {
    expect(await ask(path)).toEqual([404, { status: 'not_found' }]);
  }
});

test('a port that is taken is a fault at the start', async () => {
  const { port } = await open();
  await expect(openProbes(port)).rejects.toMatchObject({ code: 'EADDRINUSE' });
});

test('without a port nothing listens, and heartbeats go out all the same', async () => {
  probes = await openProbes(undefined);
  const sent: unknown[] = [];
  await probes.watching(async (one) => void sent.push(one))(heartbeat(true));
  expect(sent).toEqual([heartbeat(true)]);
});
