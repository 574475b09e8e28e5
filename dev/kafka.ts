// npm run kafka: a Kafka for development on 127.0.0.1:9092 until Ctrl-C. Its data stay in .recoup/kafka between runs;
// `-- --reset` begins with none.

import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { say } from './progress.ts';
import { startKafka } from './servers/kafka.ts';

const folder = join(import.meta.dirname, '../.recoup/kafka');

try {
  const { values } = parseArgs({ options: { reset: { type: 'boolean', default: false } } });
  // Before it runs there is nothing to stop in order: leaving tells a server that is starting to end.
  let onSignal: () => void = () => process.exit(130);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => onSignal());

  const kafka = await startKafka({
    dataDir: join(folder, 'node'),
    logFile: join(folder, 'kafka.log'),
    port: 9092,
    reset: values.reset,
  });
  say('Kafka is running; stop it with Ctrl-C. In another terminal:');
  say(`KAFKA_BROKERS=${kafka.brokers} npm start`);
  const idle = setInterval(() => {}, 60_000);
  await new Promise<void>((resolve) => {
    onSignal = resolve;
  });
  clearInterval(idle);
  await kafka.stop();
  say('Kafka has stopped.');
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
