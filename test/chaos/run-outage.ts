// `npm run chaos:outage -- --seconds 60 --rate 200`: Postgres is taken away under load, and every accepted payment must
// be there once afterwards. Exits 1 when one is not.

import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { aroundSeconds, runOutage } from './outage.ts';

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, rate: { type: 'string', default: '200' } },
});
const [seconds, perSecond] = [Number(values.seconds), Number(values.rate)];
if (!(seconds >= 1 && seconds <= 3_600)) throw new Error('--seconds expects 1 to 3600');
if (!(perSecond >= 1 && perSecond <= 10_000)) throw new Error('--rate expects 1 to 10000');

const folder = mkdtempSync(join(tmpdir(), 'recoup-outage-'));
// Postgres may run as another user, who has to get through to its data.
chmodSync(folder, 0o711);
try {
  const { answers, promised, drainedAfterSeconds, broken } = await runOutage({
    folder,
    seconds,
    perSecond,
    say: console.log,
  });
  const total = Object.values(answers).reduce((sum, count) => sum + count, 0);
  const offered = Math.round(total / (seconds + 2 * aroundSeconds));
  console.log(`about ${offered} webhooks a second; answers: ${JSON.stringify(answers)}`);
  console.log(`nothing waited any more ${drainedAfterSeconds.toFixed(1)} s after Postgres was back`);
  console.log(`payments answered with success: ${promised}, not there exactly once: ${broken.length}`);
  for (const line of broken.slice(0, 20)) console.log(`  ${line}`);
  if (broken.length > 0) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
