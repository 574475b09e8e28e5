// For tests only: a container as a process of its own.

import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';

export interface ContainerProcess {
  child: ChildProcess;
  /** What it has logged so far. */
  lines: Array<Record<string, unknown>>;
  errors(): string;
  exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/** With nothing in its environment but what is given, and where Node keeps what it has compiled. */
export function spawnContainer(name: string, env: Record<string, string>): ContainerProcess {
  const main = join(import.meta.dirname, name, 'main.ts');
  const { NODE_COMPILE_CACHE } = process.env;
  const child = spawn(process.execPath, [main], {
    env: { ...(NODE_COMPILE_CACHE && { NODE_COMPILE_CACHE }), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: Array<Record<string, unknown>> = [];
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    for (const line of parts) lines.push(JSON.parse(line));
  });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) =>
    child.once('close', (code, signal) => resolve({ code, signal })),
  );
  return { child, lines, errors: () => errors, exited };
}
