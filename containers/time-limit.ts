// Every wait ends. Node has no limit for a promise, so here is one.

class TimeLimitFault extends Error {
  override readonly name = 'TimeLimitFault';
}

/** The work's outcome, or TimeLimitFault after `limitMs`; the work itself goes on, and its outcome is ignored. */
export async function within<T>(limitMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TimeLimitFault(`not done within ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}
