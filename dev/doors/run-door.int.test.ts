// The doors as processes of their own, as compose and the benchmarks start them.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, expect, inject, test } from 'vitest';
import { choosePort } from '../servers/port.ts';

const started = new Set<ChildProcess>();
afterEach(() => {
  for (const child of started) child.kill('SIGKILL');
  started.clear();
});

/** The output so far is in `output.text`. */
function start(file: string, env: Record<string, string>) {
  const child = spawn(process.execPath, [`${import.meta.dirname}/${file}`], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.add(child);
  const output = { text: '' };
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output.text += chunk));
  return { child, output, exit: once(child, 'exit') };
}

const seconds = (n: number) => ({ timeout: n * 1000 });

test('the Neon door says where it listens, serves, and stops on SIGTERM', seconds(30), async () => {
  const port = await choosePort('Neon door', 0);
  const { child, output, exit } = start('neon.ts', { NEON_DOOR_PORT: String(port) });
  await expect.poll(() => output.text, seconds(15)).toBe(`neon door listens on http://127.0.0.1:${port}\n`);
  const answer = await fetch(`http://127.0.0.1:${port}/sql`, {
    method: 'POST',
    headers: { 'neon-connection-string': inject('postgresUrl'), 'neon-raw-text-output': 'true' },
    body: '{"query": "select 1 as one"}',
  });
  expect(await answer.json()).toMatchObject({ rows: [{ one: '1' }] });
  child.kill('SIGTERM');
  expect(await exit).toEqual([0, null]);
});

test('the Upstash door says where it listens, serves, and stops on SIGTERM', seconds(30), async () => {
  const port = await choosePort('Upstash door', 0);
  const env = {
    UPSTASH_DOOR_PORT: String(port),
    UPSTASH_DOOR_TOKEN: 'secret',
    REDIS_URL: inject('redisUrl'),
  };
  const { child, output, exit } = start('upstash.ts', env);
  await expect
    .poll(() => output.text, seconds(15))
    .toBe(`upstash door listens on http://127.0.0.1:${port}\n`);
  const answer = await fetch(`http://127.0.0.1:${port}/ping`, {
    headers: { authorization: 'Bearer secret' },
  });
  expect(await answer.json()).toEqual({ result: 'PONG' });
  child.kill('SIGTERM');
  expect(await exit).toEqual([0, null]);
});

test('a door without its settings names all of them and does not start', seconds(30), async () => {
  const neonDoor = start('neon.ts', { NEON_DOOR_PORT: '0' });
  expect(await neonDoor.exit).toEqual([1, null]);
  expect(neonDoor.output.text).toMatch(/NEON_DOOR_PORT: expected a whole number from 1 to 65535/);
  const upstashDoor = start('upstash.ts', {});
  expect(await upstashDoor.exit).toEqual([1, null]);
  expect(upstashDoor.output.text).toMatch(/UPSTASH_DOOR_PORT.*UPSTASH_DOOR_TOKEN.*REDIS_URL/s);
});
