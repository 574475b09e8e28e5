// `npm start` as a person runs it: from the checkout, on free ports, with data in a folder of the test's.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Running } from '../../dev/running.ts';
import { freePort } from '../../dev/servers/port.ts';
import { ownServers } from '../../dev/stack/settings.ts';

const root = join(import.meta.dirname, '../..');

export interface RunningSystem {
  output(): string;
  running(): Running;
  /** The process that npm is. */
  npm: ChildProcess;
  ended: Promise<number | null>;
}

export async function freePorts(): Promise<Record<'PORT' | 'WEBHOOKS_PORT' | 'AUTH_PORT', string>> {
  const [PORT, WEBHOOKS_PORT, AUTH_PORT] = [await freePort(), await freePort(), await freePort()].map(String);
  return { PORT: PORT as string, WEBHOOKS_PORT: WEBHOOKS_PORT as string, AUTH_PORT: AUTH_PORT as string };
}

/** Starts, without made-up customers unless asked for, and returns at once; `until` waits for what it prints. */
export function npmStart(folder: string, env: Record<string, string>, args: string[] = []): RunningSystem {
  const npm = spawn('npm', ['start', '--', ...args], {
    cwd: root,
    env: { ...process.env, ...ownServers, DEMO_DATA: 'false', ...env, RECOUP_FOLDER: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let printed = '';
  for (const stream of [npm.stdout, npm.stderr]) stream?.on('data', (chunk) => (printed += chunk));
  return {
    npm,
    output: () => printed,
    running: () => JSON.parse(readFileSync(join(folder, 'running.json'), 'utf8')),
    ended: new Promise((resolve) => npm.once('close', resolve)),
  };
}

/** Waits until the system has printed the text; fails with all it printed. */
export async function until(system: RunningSystem, text: string, withinMs = 60_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!system.output().includes(text)) {
    if (system.npm.exitCode !== null || Date.now() > deadline) {
      throw new Error(`"${text}" was not printed:\n${system.output()}`);
    }
    await sleep(50);
  }
}

/** Runs a line as pasted into a shell. */
export async function paste(line: string): Promise<string> {
  const { stdout } = await promisify(execFile)('sh', ['-c', line], { timeout: 30_000 });
  return stdout;
}

/** Runs one of our commands in the checkout. */
export async function npmRun(folder: string, script: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('npm', ['run', '--silent', script, '--', ...args], {
    cwd: root,
    env: { ...process.env, ...ownServers, RECOUP_FOLDER: folder },
    timeout: 60_000,
  });
  return stdout;
}

/** The command lines of living processes that name the folder. */
export async function processesOf(folder: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)('ps', ['-eo', 'pid=,args=']);
  return stdout.split('\n').filter((line) => line.includes(folder));
}
