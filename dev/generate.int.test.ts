import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from 'redis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestRedis } from '../test/database.ts';
import { histories } from './histories/histories.ts';

let redisUrl: string;
let redis: ReturnType<typeof createClient>;
const folder = mkdtempSync(join(tmpdir(), 'recoup-generate-'));

beforeAll(async () => {
  ({ url: redisUrl } = await createTestRedis());
  redis = createClient({ url: redisUrl });
  await redis.connect();
});
afterAll(() => {
  redis.destroy();
  rmSync(folder, { recursive: true, force: true });
});

const few = { customers: 30, events: 3_000, seed: 7, duplicates: 0.02, disorder: 0.05 };
const days = { from: '2025-01-01', to: '2026-11-01' };
const fewArguments = Object.entries(few).flatMap(([name, value]) => [`--${name}`, String(value)]);
const expected = [...histories({ ...few, ...days })];

function generate(...args: string[]) {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'generate.ts'), ...args], {
    env: { ...process.env, REDIS_URL: redisUrl, BUSINESS_TIME_ZONE: 'UTC', DEFAULT_CURRENCY: 'EUR' },
    timeout: 60_000,
  });
  const run = { stdout: '', stderr: '' };
  child.stdout.on('data', (text) => {
    run.stdout += text;
  });
  child.stderr.on('data', (text) => {
    run.stderr += text;
  });
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) =>
    child.once('close', (code) => resolve({ code, ...run })),
  );
  return { run, ended };
}
const inStream = async (stream: string) =>
  ((await redis.xRange(stream, '-', '+')) ?? []).map(({ message }) => ({ ...message }));

test('the stream has every entry, in order', async () => {
  const { code, stdout } = await generate(...fewArguments).ended;
  expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
  expect(await inStream('inbox:billie-servicing')).toEqual(expected);
}, 90_000);

test('a stream that is full is waited for, and then has the rest', async () => {
  const stream = 'inbox:full';
  const { run, ended } = generate(...fewArguments, '--stream', stream, '--limit', '1000');
  const taken: unknown[] = [];
  const take = async () => {
    taken.push(...(await inStream(stream)));
    await redis.xTrim(stream, 'MAXLEN', 0);
  };
  await expect.poll(() => run.stderr, { timeout: 60_000 }).toContain('has 1000 entries: waiting');
  expect(await redis.xLen(stream)).toBe(1_000);
  let isOver = false;
  ended.then(() => {
    isOver = true;
  });
  while (!isOver) {
    // Only what is full is taken, so that nothing is added between reading and trimming.
    if ((await redis.xLen(stream)) === 1_000) await take();
    else await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await take();
  expect((await ended).code).toBe(0);
  expect(taken).toEqual(expected);
}, 120_000);

test('a file and standard output have an object of fields a line', async () => {
  const file = join(folder, 'events.jsonl');
  const runs = await Promise.all([
    generate(...fewArguments, '--to', file).ended,
    generate(...fewArguments, '--to', '-').ended,
  ]);
  expect(runs.map(({ code }) => code)).toEqual([0, 0]);
  for (const text of [readFileSync(file, 'utf8'), runs[1]!.stdout])
    expect(
      text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual(expected);
}, 90_000);

test.each([
  [['--events', 'many'], /^--events expects a whole number, 1 or more\n\nUsage: /],
  [['--disorder', '2'], /^--disorder expects a share from 0 to 1\n/],
  [['--from', '2026-13-01'], /^--from expects a date, YYYY-MM-DD\n/],
  [['--customers', '30', '--events', '29'], /^there are no such histories: there must be an event for each/],
  [['--to', join(folder, 'nowhere', 'x.jsonl'), ...fewArguments], /ENOENT/],
])(
  '%j is refused in readable words',
  async (args, words) => {
    const { code, stderr } = await generate(...args).ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(words);
    expect(stderr).not.toContain('    at ');
  },
  60_000,
);
