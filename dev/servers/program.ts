// Programs that npm does not bring (Redis, Java, Maven, OpenLDAP, Samba): found on PATH, installed with apt-get where we
// are root, or named in one line a person can act on. Services that Debian would start with a package are not started.

import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { step } from '../progress.ts';

/** A program is missing and we may not install it. The message says what to type. */
export class MissingProgram extends Error {
  override readonly name = 'MissingProgram';
}

export interface Program {
  name: string;
  /** Or several with spaces between them, as one types them. */
  debianPackage: string;
  /** What brings it on macOS, as one types it; left out where nothing does. */
  macos?: string;
  /** A file without which the program is of no use to us. */
  needs?: string;
  /** What Debian would start with the package whenever the machine starts. */
  services?: readonly string[];
}

/** Debian keeps servers in the last two, which are not on everybody's PATH. */
const folders = () => [...(process.env.PATH ?? '').split(delimiter).filter(Boolean), '/usr/sbin', '/sbin'];

export function findProgram(name: string): string | undefined {
  return folders()
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

function find({ name, needs }: Program): string | undefined {
  return needs === undefined || existsSync(needs) ? findProgram(name) : undefined;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

let installing: Promise<void> = Promise.resolve();

/** The paths of the programs, in order; what is missing is installed first where that is possible. */
export async function requirePrograms(purpose: string, programs: readonly Program[]): Promise<string[]> {
  const missing = programs.filter((program) => !find(program));
  if (missing.length) {
    if (process.getuid?.() !== 0 || !findProgram('apt-get')) throw missingProgram(purpose, missing);
    const packages = missing.map((program) => program.debianPackage).join(' and ');
    try {
      await step(`${purpose}: installing ${packages} with apt-get`, () => {
        // One after the other: apt-get does not wait for itself in all places.
        installing = installing.catch(() => {}).then(() => install(missing));
        return installing;
      });
    } catch (cause) {
      throw new MissingProgram(`${missingProgram(purpose, missing).message}. ${(cause as Error).message}`, {
        cause,
      });
    }
  }
  const paths = programs.map(find);
  if (paths.every((path) => path !== undefined)) return paths;
  throw missingProgram(
    purpose,
    programs.filter((_, i) => !paths[i]),
  );
}

function missingProgram(purpose: string, missing: readonly Program[]): MissingProgram {
  const names = missing.map((program) => program.name).join(' and ');
  const debian = `sudo apt-get install ${missing.map((program) => program.debianPackage).join(' ')}`;
  const macos = missing.every((program) => program.macos)
    ? `; macOS: ${missing.map((program) => program.macos).join(' && ')}`
    : '';
  return new MissingProgram(
    `${purpose} needs ${names}, which ${missing.length > 1 ? 'are' : 'is'} not installed. Debian: ${debian}${macos}`,
  );
}

async function install(programs: readonly Program[]): Promise<void> {
  const packages = programs.flatMap((program) => program.debianPackage.split(' '));
  const services = programs.flatMap((program) => program.services ?? []);
  // Debian's tools ask policy-rc.d before they start a service; 101 means no. The file is ours only for now.
  const policy = '/usr/sbin/policy-rc.d';
  const ours = !existsSync(policy);
  if (ours) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  const env: NodeJS.ProcessEnv = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  env.PATH = folders().join(delimiter);
  const get = (...args: string[]) =>
    runText('apt-get', [...args, '-qq', '-o', 'DPkg::Lock::Timeout=120'], { env });
  try {
    const installPackages = () => get('install', '-y', '--no-install-recommends', ...packages);
    await installPackages().catch(async () => {
      await unlessLocked(() => get('update'));
      await installPackages();
    });
    if (services.length && existsSync('/run/systemd/system')) {
      await runText('systemctl', ['disable', ...services], { env });
    }
  } finally {
    if (ours) rmSync(policy, { force: true });
  }
}

/** apt-get waits for another one that installs, but not for one that updates, of another process of ours for example. */
async function unlessLocked(update: () => Promise<string>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const failure = await update().then(
      () => undefined,
      (error: Error) => error,
    );
    if (!failure) return;
    if (attempt === 30 || !failure.message.includes('Could not get lock')) throw failure;
    await sleep(2000);
  }
}

/** Runs a program to its end and returns its standard output; an error carries what it said. */
export function runText(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv; uid?: number; gid?: number; input?: string } = {},
): Promise<string> {
  const { input, ...rest } = options;
  return new Promise((resolve, reject) => {
    const child = execFile(
      command,
      args,
      { ...rest, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        if (!error) return resolve(stdout);
        const said = `${stderr}\n${stdout}`.trim().split('\n').slice(-15).join('\n  ');
        const how = child.exitCode === null ? error.message : `failed with code ${child.exitCode}`;
        reject(new Error(`${command} ${args[0] ?? ''} ${how}${said ? `:\n  ${said}` : ''}`));
      },
    );
    child.stdin?.on('error', () => {}).end(input);
  });
}
