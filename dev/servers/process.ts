// A server process of ours: started in its own process group (Ctrl-C reaches only us, and we stop it in order), its
// output in a log file, remembered in a pid file. Refuses to share a server with another living starter; a server
// whose starter was killed is stopped first. If we leave without stopping it, it is told to stop as we exit.

import { spawn } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { say } from '../progress.ts';
import { runText } from './program.ts';

/** Signals in the order they are tried, each with the time the server has before the next one. */
export type StopSignals = readonly (readonly [signal: NodeJS.Signals, patienceMs: number])[];

export interface Launch {
  /** As people call it: 'Postgres'. */
  name: string;
  command: string;
  args: readonly string[];
  cwd: string;
  env?: NodeJS.ProcessEnv;
  user?: { uid: number; gid: number } | undefined;
  logFile: string;
  pidFile: string;
  /** A path in the command line that no other process has: it tells our server from a stranger with its old pid. */
  marker: string;
  stopSignals: StopSignals;
  /** Asked again and again until it is true. What it throws ends the attempt. */
  isReady: () => Promise<boolean>;
  readyWithinMs: number;
  /** Called with a readable line when the server ends although nobody asked it to; says the line by default. */
  onLoss?: ((line: string) => void) | undefined;
}

export interface Server {
  /** Resolves once the process is gone. A second call waits for the same end. */
  stop(): Promise<void>;
}

const atExit = new Set<() => void>();
process.once('exit', () => {
  for (const kill of atExit) kill();
});

export async function launch(plan: Launch): Promise<Server> {
  await stopOrphan(plan.name, plan.pidFile, plan.marker, plan.stopSignals);
  mkdirSync(dirname(plan.logFile), { recursive: true });
  const logStart = rotate(plan.logFile);
  const log = openSync(plan.logFile, 'a', 0o600);
  const child = spawn(plan.command, plan.args, {
    cwd: plan.cwd,
    env: plan.env ?? process.env,
    stdio: ['ignore', log, log],
    detached: true,
    ...plan.user,
  });
  closeSync(log);

  let ended: string | undefined;
  const exit = new Promise<void>((resolve) => {
    const end = (reason: string) => {
      ended = reason;
      resolve();
    };
    child.once('error', (error) => end(`could not be started: ${error.message}`));
    child.once('exit', (code, signal) => end(`ended with ${signal ?? `code ${code}`}`));
  });
  const killAtExit = () => child.kill(plan.stopSignals[0]![0]);
  atExit.add(killAtExit);
  const forget = () => {
    atExit.delete(killAtExit);
    rmSync(plan.pidFile, { force: true });
  };
  if (child.pid) {
    child.unref();
    writeFileSync(plan.pidFile, `${child.pid}\n${process.pid}\n`);
  }

  let stopping: Promise<void> | undefined;
  const stop = async () => {
    for (const [signal, patienceMs] of plan.stopSignals) {
      if (ended) break;
      child.kill(signal);
      await within(exit, patienceMs);
    }
    if (!ended) throw new Error(`${plan.name} (process ${child.pid}) does not stop`);
    forget();
  };

  try {
    const deadline = Date.now() + plan.readyWithinMs;
    while (!(await plan.isReady())) {
      if (ended) throw new Error(`${plan.name} ${ended}`);
      if (Date.now() > deadline) {
        throw new Error(`${plan.name} was not ready after ${plan.readyWithinMs / 1000} s`);
      }
      await within(exit, 50);
    }
  } catch (error) {
    await stop().catch(() => {});
    const lines = lastLines(plan.logFile, logStart);
    throw new Error(`${(error as Error).message}${lines}`, { cause: error });
  }
  exit.then(() => {
    if (!stopping)
      (plan.onLoss ?? say)(`${plan.name} ${ended} although nobody asked it to; its log is ${plan.logFile}`);
  });
  return {
    stop() {
      stopping ??= stop();
      return stopping;
    },
  };
}

/**
 * Stops the server that a pid file remembers, if it still runs and its starter does not. The file is ours (server,
 * starter) or the server's own, whose second line is not a number: then there is no starter to respect.
 */
export async function stopOrphan(
  name: string,
  pidFile: string,
  marker: string,
  signals: StopSignals,
): Promise<void> {
  const { pid, starter } = readPidFile(pidFile);
  if (!(await runs(pid, marker))) return;
  if (starter && (await commandLine(starter))) {
    throw new Error(
      `${name} already runs for process ${starter}; stop that one first (the same folder cannot serve two)`,
    );
  }
  say(`${name}: stopping process ${pid}, left behind by an earlier run`);
  for (const [signal, patienceMs] of signals) {
    kill(pid, signal);
    for (const deadline = Date.now() + patienceMs; Date.now() < deadline; await sleep(50)) {
      if (!(await runs(pid, marker))) return;
    }
  }
  throw new Error(`${name}: process ${pid}, left behind by an earlier run, does not stop`);
}

/** Kills every server whose pid file lies in a folder that is about to be removed. */
export async function killServers(folder: string): Promise<void> {
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.pid')) continue;
    const { pid } = readPidFile(join(folder, file));
    if (await runs(pid, folder)) kill(pid, 'SIGKILL');
    while (await runs(pid, folder)) await sleep(20);
  }
}

function readPidFile(pidFile: string): { pid: number; starter: number } {
  let lines: string[] = [];
  try {
    lines = readFileSync(pidFile, 'utf8').split('\n');
  } catch {}
  return { pid: Number(lines[0] ?? 0), starter: Number(lines[1] ?? 0) };
}

/** Whether the process is ours: a stranger may have got the number. */
async function runs(pid: number, marker: string): Promise<boolean> {
  return pid > 0 && (await commandLine(pid)).includes(marker);
}

/** The command line of a living process; empty when there is none, or only its zombie. */
async function commandLine(pid: number): Promise<string> {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    return await runText('ps', ['-o', 'command=', '-p', String(pid)]);
  } catch {
    return '';
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Waits for the event, but no longer than this; leaves no timer behind. */
async function within(event: Promise<void>, ms: number): Promise<void> {
  const timer = new AbortController();
  await Promise.race([event, sleep(ms, undefined, { signal: timer.signal }).catch(() => {})]);
  timer.abort();
}

/** Keeps one older log of at most 10 MB beside the current one. Returns the current one's size. */
function rotate(logFile: string): number {
  const size = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0;
  if (size < 10_000_000) return size;
  renameSync(logFile, `${logFile}.old`);
  return 0;
}

/** Without the paths through Java's own code. */
function lastLines(logFile: string, from: number): string {
  const lines = readFileSync(logFile).subarray(from).toString('utf8').trimEnd().split('\n');
  const telling = lines.filter((line) => !line.startsWith('\tat ')).slice(-15);
  return `. The end of its log, ${logFile}:\n${telling.map((line) => `  ${line}`).join('\n')}`;
}
