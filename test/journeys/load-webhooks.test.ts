// The load test keeps its own promise in small: three seconds of it, on workerd and on Node.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');

test.each(['workerd', 'node'])(
  'on %s: what was accepted is recorded and published on both topics, each once',
  { timeout: 120_000 },
  async (on) => {
    const args = ['--rate', '40', '--seconds', '3', '--duplicates', '20', '--connections', '16', '--on', on];
    const run = promisify(execFile)('npm', ['run', '--silent', 'load:webhooks', '--', ...args], {
      cwd: root,
      timeout: 110_000,
    });
    const { stdout } = await run;
    const [answered, created, duplicate, failed] = numbersIn(
      stdout,
      /answered (\d+).*created (\d+), duplicate (\d+), failed (\d+)/,
    );
    expect([answered, failed], stdout).toEqual([120, 0]);
    expect(duplicate, stdout).toBeGreaterThan(0);
    const [accepted, recorded, ...published] = numbersIn(
      stdout,
      /accepted (\d+), recorded (\d+), published (\d+) on payment\.events and (\d+) on payment\.lifecycle/,
    );
    expect(accepted, stdout).toBeGreaterThanOrEqual(created as number);
    expect([recorded, ...published], stdout).toEqual([accepted, accepted, accepted]);
    expect(stdout).toMatch(/p50 [\d.]+ ms, p95 [\d.]+ ms, p99 [\d.]+ ms/);
  },
);

const numbersIn = (text: string, pattern: RegExp): number[] =>
  (pattern.exec(text) ?? []).slice(1).map(Number);
