import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const run = (args: readonly string[], tokenKeys = '') =>
  spawnSync(process.execPath, [join(import.meta.dirname, 'token-keys.ts'), ...args], {
    encoding: 'utf8',
    env: { ...process.env, TOKEN_KEYS: tokenKeys },
  });
const kidsOf = (text: string): string[] => JSON.parse(text).keys.map(({ kid }: { kid: string }) => kid);

test('a new set has one key; rotated, a new one stands before those that were there', () => {
  const first = run([]);
  expect([first.status, kidsOf(first.stdout)]).toEqual([0, [expect.any(String)]]);
  const second = run(['--rotate'], first.stdout.trim());
  expect(kidsOf(second.stdout)).toEqual([expect.any(String), ...kidsOf(first.stdout)]);
  expect(kidsOf(second.stdout)[0]).not.toBe(kidsOf(first.stdout)[0]);
});

test.each(['', '{"keys":[]}', 'hunter2'])(
  'with TOKEN_KEYS %j there is nothing to rotate, and nothing is printed',
  (keys) => {
    const { status, stdout, stderr } = run(['--rotate'], keys);
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toContain('--rotate needs TOKEN_KEYS');
    expect(stderr).not.toContain('hunter2');
  },
);
