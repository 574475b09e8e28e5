// Schemathesis, which asks every operation of an OpenAPI document what nobody has thought of. It comes from PyPI once,
// into .recoup/schemathesis.

import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { step } from '../progress.ts';
import { createOnce } from './folder.ts';
import { MissingProgram, requirePrograms, runText } from './program.ts';

const python = { name: 'python3', debianPackage: 'python3-venv', macos: 'brew install python' };
const requirements = join(import.meta.dirname, 'schemathesis-requirements.txt');
const configuration = join(import.meta.dirname, 'schemathesis.toml');

export interface Fuzzing {
  /** The front door. */
  url: string;
  /** The secret of a browser's session. */
  session: string;
  /** The id of a session that may end. */
  sessionToEnd: string;
  /** Cases per operation and phase. */
  examples: number;
  /** The same seed asks the same. */
  seed?: number;
  /** Where it keeps what it remembers. */
  folder: string;
}

/** What it found, as it tells it; nothing when it found nothing. */
export function fuzz(environment: string, asking: Fuzzing): Promise<string> {
  const { url, examples, seed, folder } = asking;
  const args = [
    ...['-m', 'schemathesis.cli', '--config-file', configuration, '--no-color', 'run', `${url}/openapi.json`],
    ...['--max-examples', String(examples)],
    ...(seed === undefined ? [] : ['--seed', String(seed)]),
  ];
  return new Promise((resolve) => {
    const env = {
      ...process.env,
      RECOUP_FUZZ_SESSION: asking.session,
      RECOUP_FUZZ_SESSION_TO_END: asking.sessionToEnd,
    };
    const limits = { cwd: folder, env, maxBuffer: 64 * 1024 * 1024 };
    execFile(join(environment, 'bin/python3'), args, limits, (error, stdout, stderr) =>
      resolve(error ? `${stdout}\n${stderr}` : ''),
    );
  });
}

/** The folder of its own Python. Throws MissingProgram without one. */
export async function schemathesis(): Promise<string> {
  const wanted = readFileSync(requirements, 'utf8');
  const version = /^schemathesis==(.+)$/m.exec(wanted)![1]!;
  const folder = join(import.meta.dirname, '../../.recoup/schemathesis', version);
  if (existsSync(folder)) return folder;
  const [python3] = await requirePrograms('Schemathesis', [python]);
  // Debian has what makes environments in a package of its own.
  const library = await runText(python3!, ['-c', 'import sysconfig; print(sysconfig.get_path("stdlib"))']);
  const needs = join(library.trim(), 'ensurepip/__init__.py');
  await requirePrograms('Schemathesis', [{ ...python, needs }]);
  await step(`Schemathesis: fetching ${version} from PyPI (30 MB, once)`, () =>
    createOnce(folder, async (unfinished) => {
      try {
        await runText(python3!, ['-m', 'venv', unfinished]);
        const install = ['install', '--quiet', '--disable-pip-version-check', '-r', requirements];
        await runText(join(unfinished, 'bin/python3'), ['-m', 'pip', ...install]);
      } catch (cause) {
        throw new MissingProgram(`Schemathesis could not be installed. ${(cause as Error).message}`, {
          cause,
        });
      }
    }),
  );
  return folder;
}
