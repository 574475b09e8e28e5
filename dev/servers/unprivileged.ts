// PostgreSQL refuses to run as root, and slapd need not. Where we are root, their processes run as the system user
// `recoup`, created once; where we are not, they run as ourselves.

import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { say } from '../progress.ts';
import { runText } from './program.ts';

export interface User {
  uid: number;
  gid: number;
}

const userName = 'recoup';

/** Undefined when we are an ordinary user already. The server is named in what is said. */
export async function unprivilegedUser(server: string): Promise<User | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const known = await lookUp();
  if (known) return known;
  say(`${server} does not run as root: creating the system user '${userName}' for it`);
  const useradd = [
    '--system',
    '--no-create-home',
    '--home-dir',
    '/nonexistent',
    '--shell',
    '/usr/sbin/nologin',
  ];
  for (let attempt = 1; ; attempt++) {
    const failure = await runText('/usr/sbin/useradd', [...useradd, userName]).catch((error: Error) => error);
    // Another starter may have created it meanwhile, or hold the lock on the user database.
    const created = await lookUp();
    if (created) return created;
    if (attempt === 3) {
      throw new Error(
        `${server} does not run as root, and the user '${userName}' could not be created; run as an ordinary user, or create it`,
        { cause: failure },
      );
    }
    await sleep(1000);
  }
}

async function lookUp(): Promise<User | undefined> {
  try {
    const ids = [await runText('id', ['-u', userName]), await runText('id', ['-g', userName])];
    return { uid: Number(ids[0]), gid: Number(ids[1]) };
  } catch {
    return undefined;
  }
}

/** Tried rather than computed: modes, groups and access lists all have a say. */
export function canEnter(user: User, folder: string): boolean {
  return spawnSync('/bin/sh', ['-c', 'cd "$1"', 'sh', folder], { ...user, cwd: '/' }).status === 0;
}
