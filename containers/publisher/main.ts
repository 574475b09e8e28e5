// The publisher: takes committed messages from the outbox to the log, for as long as it lives. Any number may run;
// one works, the others stand by. SIGTERM: finishes the batch in progress, exits 0. Settings that do not parse: says
// all of them, exits 1.

const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
process.once('SIGINT', () => stop.abort());

// Loaded only now, because it takes a moment, in which a signal must not be lost.
const [{ SettingsFault }, { runPublisher }] = await Promise.all([
  import('../../shared/settings.ts'),
  import('./run-publisher.ts'),
]);
try {
  const { drained } = await runPublisher(process.env, stop.signal);
  process.exit(drained ? 0 : 1);
} catch (error) {
  if (!(error instanceof SettingsFault)) throw error;
  console.error(error.message);
  process.exit(1);
}

export {};
