// grpcurl, a caller of gRPC that knows nothing of us: it comes from the Go module proxy once, into .recoup/grpcurl.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { step } from '../progress.ts';
import { createOnce } from './folder.ts';
import { MissingProgram, requirePrograms, runText } from './program.ts';

const version = 'v1.9.3';
const go = { name: 'go', debianPackage: 'golang-go', macos: 'brew install go' };

/** The path of the program. Throws MissingProgram without Go, or when the proxy is not reached. */
export async function grpcurl(): Promise<string> {
  const folder = join(import.meta.dirname, '../../.recoup/grpcurl', version);
  const program = join(folder, 'grpcurl');
  if (existsSync(program)) return program;
  const [compiler] = await requirePrograms('grpcurl', [go]);
  await step(`grpcurl: building ${version} from the Go module proxy (a minute, once)`, () =>
    createOnce(folder, async (unfinished) => {
      const module = `github.com/fullstorydev/grpcurl/cmd/grpcurl@${version}`;
      try {
        await runText(compiler!, ['install', module], { env: { ...process.env, GOBIN: unfinished } });
      } catch (cause) {
        throw new MissingProgram(`grpcurl could not be built. ${(cause as Error).message}`, { cause });
      }
    }),
  );
  return program;
}

/** What it prints; where the call ends in an error, what it prints of that. */
export function callWith(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(program, args, { timeout: 20_000 }, (_, stdout, stderr) => resolve(`${stdout}${stderr}`));
  });
}
