// The rival: pgbench running one statement, prepared, over its own connections.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram, requirePrograms, runText } from '../dev/servers/program.ts';
import { percentile } from './load.ts';

/** Debian keeps it in a folder of its version, which is not on PATH. */
export async function findPgbench(): Promise<string> {
  const [command] = await requirePrograms('The benchmark', [
    { name: 'pgbench', debianPackage: 'postgresql', macos: 'brew install postgresql' },
  ]);
  return findProgram('pgbench') ?? (command as string);
}

export interface PgbenchResult {
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  count: number;
}

export async function pgbench(
  command: string,
  databaseUrl: string,
  statement: string,
  clients: number,
  seconds: number,
): Promise<PgbenchResult> {
  const folder = mkdtempSync(join(tmpdir(), 'recoup-pgbench-'));
  try {
    const script = join(folder, 'statement.sql');
    writeFileSync(script, `${statement}\n`);
    const flags = [
      '-n',
      '-M',
      'prepared',
      '-c',
      String(clients),
      '-j',
      '1',
      '-T',
      String(seconds),
      '-f',
      script,
    ];
    const said = await runText(command, [...flags, '-l', '--log-prefix', join(folder, 'log'), databaseUrl]);
    const perSecond = Number(/tps = ([\d.]+)/.exec(said)?.[1]);
    if (!Number.isFinite(perSecond)) throw new Error(`pgbench said nothing about tps:\n${said}`);
    // A log line: client, transaction, latency in microseconds, ...
    const latenciesMs = readdirSync(folder)
      .filter((name) => name.startsWith('log.'))
      .flatMap((name) => readFileSync(join(folder, name), 'utf8').trimEnd().split('\n'))
      .map((line) => Number(line.split(' ')[2]) / 1000);
    return {
      perSecond,
      p50Ms: percentile(latenciesMs, 0.5),
      p99Ms: percentile(latenciesMs, 0.99),
      count: latenciesMs.length,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
