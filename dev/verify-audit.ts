// `npm run verify:audit`: works the audit trail's chain out anew and says where it first breaks; prints its head, to be
// kept elsewhere and given to a later run with --expect. In the database that DATABASE_URL names, else in the one that
// `npm start` runs here. Exits 1 when the trail is not whole.

import { parseArgs } from 'node:util';
import { openPool } from '../containers/database.ts';
import { type Head, parseHead, written } from '../shared/audit/chain.ts';
import { type Break, verifyTrail } from '../shared/audit/verify.ts';
import { say } from './progress.ts';
import { readRunning } from './running.ts';
import { loadEnvFile } from './stack/settings.ts';

const usage = `Usage: npm run verify:audit

  --expect <head>   HASH:POSITION as an earlier run printed it: the trail must have it still`;

const saidEveryMs = 2_000;
const timeoutMs = 600_000;

function readArguments(): { expected: Head | undefined } {
  const { values } = parseArgs({ options: { expect: { type: 'string' } } });
  const expected = values.expect === undefined ? undefined : parseHead(values.expect);
  if (values.expect !== undefined && !expected) throw new Error(`--expect expects HASH:POSITION\n\n${usage}`);
  return { expected };
}

function told(broken: Break): string {
  switch (broken.kind) {
    case 'seal_missing':
      return `seal ${broken.position} is missing`;
    case 'entry_missing':
      return `entry ${broken.entryId}, sealed as ${broken.position}, is missing`;
    case 'changed':
      return `entry ${broken.entryId}, sealed as ${broken.position}, or its seal is not what it was; everything before it is`;
    case 'put_in':
      return `entry ${broken.entryId} is neither sealed nor waits for it: it was put in, or its seal was removed`;
    case 'unsealed_missing':
      return `entry ${broken.entryId}, which waited for its seal, is missing`;
    case 'not_as_expected':
      return `the head that was kept is not there: the trail was cut off or rewritten at or before seal ${broken.position}`;
  }
}

async function run(): Promise<void> {
  const { expected } = readArguments();
  loadEnvFile();
  const url = process.env.DATABASE_URL || readRunning().databaseUrl;
  const db = openPool({ url, min: 0, max: 1, applicationName: 'recoup-verify-audit', timeoutMs });
  try {
    let saidAt = performance.now();
    const checked = (links: number) => {
      if (performance.now() - saidAt < saidEveryMs) return;
      saidAt = performance.now();
      say(`${links} entries hold so far`);
    };
    const { head, unsealed, broken } = await verifyTrail(db, { expected, checked });
    say(`${head?.position ?? 0} sealed entries hold; ${unsealed} wait for their seal`);
    if (broken) throw new Error(`NOT whole: ${told(broken)}`);
    say(head ? `head: ${written(head)}` : 'nothing is sealed yet');
  } finally {
    await db.close();
  }
}

await run().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
