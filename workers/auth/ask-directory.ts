// Asks the directory's container whether a name and a password are somebody's. It answers or it is away: a refusal is
// only what it says itself.

import { type DirectoryAnswer, directoryAnswer } from '../../shared/staff/directory.ts';
import { DirectoryAway } from '../../shared/staff/directory-away.ts';

/** Longer than the container asks itself, and than a password here takes that is tried at the same time. */
const timeoutMs = 10_000;

export interface DirectoryDoor {
  url: string;
  key: string;
}

/** The name in lower case. Throws DirectoryAway. */
export async function askDirectory(
  { url, key }: DirectoryDoor,
  credentials: { username: string; password: string },
): Promise<DirectoryAnswer> {
  try {
    const response = await fetch(new URL('/authenticate', url), {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify(credentials),
      // It is told passwords; nobody else is.
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (response.status === 200) return directoryAnswer.parse(await response.json());
    await response.body?.cancel();
    throw new Error(`answered ${response.status}`);
  } catch (cause) {
    throw new DirectoryAway(`the directory's container: ${(cause as Error).message}`, { cause });
  }
}
