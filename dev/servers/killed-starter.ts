// For tests: a starter that dies of kill -9 and leaves its server behind.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

/** Calls the module's function in a process of its own, which is killed right after; returns what it got, as JSON. */
export async function startThenKill<T>(module: string, name: string, options: object): Promise<T> {
  const script = `
    const { ${name}: start } = await import(${JSON.stringify(module)});
    const server = await start(${JSON.stringify(options)});
    process.stderr.write(JSON.stringify(server), () => process.kill(process.pid, 'SIGKILL'));`;
  const starter = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [said] = await Promise.all([text(starter.stderr), once(starter, 'exit')]);
  return JSON.parse(said) as T;
}
