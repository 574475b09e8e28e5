// Memory of processes' own (no files, nothing shared) with that of their living children, in MiB. Linux only.

import { readdirSync, readFileSync } from 'node:fs';

function statusOf(pid: string): { pid: number; parent: number; kib: number } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/status`, 'latin1');
    const number = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);
    return { pid: Number(pid), parent: number('PPid'), kib: number('RssAnon') };
  } catch {
    return undefined;
  }
}

/** By name; undefined for a process that is not there. */
export function memoryMiB(roots: Record<string, number>): Record<string, number | undefined> {
  const pids = process.platform === 'linux' ? readdirSync('/proc').filter((name) => /^\d+$/.test(name)) : [];
  const all = pids.map(statusOf).filter((status) => status !== undefined);
  const total = (pid: number): number =>
    all.reduce((sum, each) => {
      const own = each.pid === pid ? each.kib : 0;
      return sum + own + (each.parent === pid ? total(each.pid) : 0);
    }, 0);
  return Object.fromEntries(
    Object.entries(roots).map(([name, pid]) => {
      const isThere = all.some((each) => each.pid === pid);
      return [name, isThere ? Math.round(total(pid) / 102.4) / 10 : undefined];
    }),
  );
}
