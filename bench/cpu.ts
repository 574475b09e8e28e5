// Processor time that processes have used, their living children's with it: what a payment costs is told better by it
// than by a rate, on a machine that does other things too. Linux only; elsewhere nothing is known.

import { readdirSync, readFileSync } from 'node:fs';

const ticksPerSecond = 100;

interface Stat {
  pid: number;
  parent: number;
  /** The process' own and that of children that have ended. */
  seconds: number;
}

/** proc_pid_stat(5): the name in parentheses may hold anything, so what follows it is counted from its end. */
function statOf(pid: string): Stat | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ');
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    return { pid: Number(pid), parent: Number(fields[1]), seconds: ticks / ticksPerSecond };
  } catch {
    return undefined;
  }
}

/** Seconds by name, each process with its descendants. */
export function cpuSeconds(roots: Record<string, number>): Record<string, number> {
  const pids = process.platform === 'linux' ? readdirSync('/proc').filter((name) => /^\d+$/.test(name)) : [];
  const stats = pids.map(statOf).filter((stat) => stat !== undefined);
  const childrenOf = Map.groupBy(stats, ({ parent }) => parent);
  const byPid = new Map(stats.map((stat) => [stat.pid, stat]));
  const total = (stat: Stat): number =>
    stat.seconds + (childrenOf.get(stat.pid) ?? []).reduce((sum, child) => sum + total(child), 0);
  return Object.fromEntries(
    Object.entries(roots).map(([name, pid]) => {
      const root = byPid.get(pid);
      return [name, root ? total(root) : Number.NaN];
    }),
  );
}
