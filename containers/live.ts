// A container's life from the first moment: signals are heard before anything else is loaded, because loading takes a
// moment in which a signal must not be lost. Exits 0 when what was in progress got done, 1 when it did not, and 1 with
// every fault listed when settings do not parse. It imports nothing, so that it is there at once.

type Run = (env: Record<string, string | undefined>, signal: AbortSignal) => Promise<{ drained: boolean }>;

/** SIGTERM and SIGINT abort the signal; never returns. */
export async function live(load: () => Promise<{ run: Run }>): Promise<never> {
  const stop = new AbortController();
  process.once('SIGTERM', () => stop.abort());
  process.once('SIGINT', () => stop.abort());
  try {
    const { run } = await load();
    const { drained } = await run(process.env, stop.signal);
    process.exit(drained ? 0 : 1);
  } catch (error) {
    // Whoever sets it wrong needs the list and no stack.
    if (!(error instanceof Error && error.name === 'SettingsFault')) throw error;
    console.error(error.message);
    process.exit(1);
  }
}
