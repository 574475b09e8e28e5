// Tests that need a program which npm does not bring: without it they are skipped aloud, and CI refuses to skip them.

import { say } from '../dev/progress.ts';
import { MissingProgram } from '../dev/servers/program.ts';

/** Skipped on demand, or where a program is missing and we may not install it; but never in CI. */
export async function unlessSkipped<T>(
  tests: string,
  skip: string | undefined,
  start: () => Promise<T>,
): Promise<T | null> {
  try {
    if (skip === '1') throw new MissingProgram('their RECOUP_SKIP variable is 1, which CI does not accept');
    return await start();
  } catch (error) {
    if (!(error instanceof MissingProgram) || process.env.CI === 'true') throw error;
    const line = '*'.repeat(100);
    say(`${line}\n* THE ${tests} TESTS ARE SKIPPED: ${error.message}\n${line}`);
    return null;
  }
}
