import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { keepRunning } from './kept-running.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'recoup-kept-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const started = async (script: string) => {
  const losses: string[] = [];
  const pidFile = join(folder, 'one.pid');
  const server = await keepRunning({
    name: 'one',
    command: process.execPath,
    args: ['-e', script, folder],
    cwd: folder,
    logFile: join(folder, 'one.log'),
    pidFile,
    marker: folder,
    stopSignals: [['SIGTERM', 5_000]],
    isReady: async () => true,
    readyWithinMs: 5_000,
    onLoss: (line) => losses.push(line),
  });
  const pid = () => Number.parseInt(readFileSync(pidFile, 'utf8'), 10);
  return { server, losses, pid };
};
const runs = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};
const eventually = <T>(get: () => T) => expect.poll(get, { timeout: 15_000, interval: 50 });

test('a process that was killed is started again, and stopped for good', async () => {
  const { server, losses, pid } = await started('setInterval(() => {}, 1000)');
  const first = pid();
  process.kill(first, 'SIGKILL');
  await eventually(() => pid() !== first && runs(pid())).toBe(true);
  const second = pid();
  await server.stop();
  expect(runs(second)).toBe(false);
  expect(losses).toEqual([]);
}, 20_000);

test('stopped while it waits to be started again, it is not', async () => {
  const { server, losses, pid } = await started('setInterval(() => {}, 1000)');
  const first = pid();
  process.kill(first, 'SIGKILL');
  await eventually(() => runs(first)).toBe(false);
  await server.stop();
  expect(losses).toEqual([]);
  expect(() => pid()).toThrow('ENOENT');
}, 20_000);

test('the third death within a minute is a loss', async () => {
  const { server, losses } = await started('process.exit(3)');
  await eventually(() => losses.length).toBe(1);
  expect(losses[0]).toContain('one ended with code 3');
  await server.stop();
}, 20_000);
