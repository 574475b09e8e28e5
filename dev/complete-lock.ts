// `npm run lock`: after a change of dependencies. A registry mirror may lack the packages of other platforms; npm then
// leaves them out of package-lock.json, and `npm ci` refuses the file. This adds what is missing: each package's
// version as its parent asks for it and the platform its name tells, so that it is skipped everywhere else.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface Entry {
  version?: string;
  dev?: boolean;
  optional?: boolean;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  optionalDependencies?: Record<string, string>;
}

const systems = [
  'aix',
  'android',
  'darwin',
  'freebsd',
  'linux',
  'netbsd',
  'openbsd',
  'openharmony',
  'sunos',
  'win32',
];
const cpus = ['arm', 'arm64', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'wasm32', 'x64'];
const aliases: Record<string, string> = { 64: 'x64', windows: 'win32' };

/** What the words of a platform package's name say: `@scope/thing-linux-x64-musl`. */
function platformOf(name: string): Pick<Entry, 'os' | 'cpu' | 'libc'> {
  const words = name.split(/[/_-]/).map((word) => aliases[word] ?? word);
  const os = words.filter((word) => systems.includes(word));
  const cpu = words.filter((word) => cpus.includes(word));
  const libc = name.includes('musl') ? ['musl'] : /gnu|glibc/.test(name) ? ['glibc'] : [];
  return { ...(os.length > 0 && { os }), ...(cpu.length > 0 && { cpu }), ...(libc.length > 0 && { libc }) };
}

const file = join(import.meta.dirname, '../package-lock.json');
const lock: { packages: Record<string, Entry> } = JSON.parse(readFileSync(file, 'utf8'));
const added: string[] = [];
for (const [path, parent] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    const known = `node_modules/${name}` in lock.packages || `${path}/node_modules/${name}` in lock.packages;
    // A range is no version, and what fits no platform is not a platform's package.
    if (known || !/^\d/.test(version) || !platformOf(name).cpu) continue;
    const dev = parent.dev ? { dev: true } : {};
    lock.packages[`node_modules/${name}`] = { version, ...platformOf(name), ...dev, optional: true };
    added.push(`${name}@${version}`);
  }
}
const sorted = Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1));
lock.packages = Object.fromEntries(sorted);
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(added.length > 0 ? `added ${added.join(', ')}` : 'package-lock.json is complete');
