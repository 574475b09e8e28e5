import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { MissingProgram, requirePrograms, runText } from './program.ts';

const hello = { name: 'hello', debianPackage: 'hello-bin', macos: 'brew install hello' };
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'recoup-program-'));
  vi.stubEnv('PATH', folder);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

/** An apt-get that writes down what it is asked, and cannot install before it has updated. */
function provideAptGet(): void {
  const script = [
    '#!/bin/sh',
    `cd ${folder}`,
    'echo "$1 RUNLEVEL=$RUNLEVEL" >> asked',
    '[ "$1" = update ] && > updated && exit 0',
    '[ -f updated ] || { echo "Unable to locate package" >&2; exit 100; }',
    'echo "#!/bin/sh" > hello && /bin/chmod +x hello',
  ];
  writeFileSync(join(folder, 'apt-get'), `${script.join('\n')}\n`, { mode: 0o755 });
}

test('a missing program is named in one line with what to type', async () => {
  const missing = requirePrograms('Greeting', [hello]);
  await expect(missing).rejects.toThrow(MissingProgram);
  await expect(missing).rejects.toThrow(
    /^Greeting needs hello, which is not installed. Debian: sudo apt-get install hello-bin; macOS: brew install hello$/,
  );
});

test.skipIf(process.getuid?.() !== 0)(
  'as root it is installed, after an update where that is needed',
  async () => {
    provideAptGet();
    expect(await requirePrograms('Greeting', [hello])).toEqual([join(folder, 'hello')]);
    const asked = readFileSync(join(folder, 'asked'), 'utf8').trim().split('\n');
    expect(asked).toEqual(['install RUNLEVEL=1', 'update RUNLEVEL=1', 'install RUNLEVEL=1']);
  },
);

test('what a failed program said is in the error', async () => {
  await expect(runText('/bin/sh', ['-c', 'echo plain words >&2; exit 3'])).rejects.toThrow(
    /failed with code 3:\n {2}plain words/,
  );
});
