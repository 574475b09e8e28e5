// `npm run verify:ledger`: works the chain of the ledger's seals out anew and says where it first breaks, and holds
// positions, instalments and balances to the transfers; prints the chain's head, to be kept elsewhere and given to a later
// run with --expect. In the database that LEDGER_DATABASE_URL names, else in the one that `npm start` runs here. Exits 1
// when the ledger is not whole.

import { parseArgs } from 'node:util';
import { openPool } from '../containers/database.ts';
import { type Head, parseHead, written } from '../shared/audit/chain.ts';
import { type Broken, inconsistencies, verifyLedger } from '../shared/ledger/verify.ts';
import { say } from './progress.ts';
import { readRunning } from './running.ts';
import { loadEnvFile } from './stack/settings.ts';

const usage = `Usage: npm run verify:ledger

  --expect <head>   HASH:POSITION as an earlier run printed it: the ledger must have it still`;

const saidEveryMs = 2_000;
const timeoutMs = 600_000;

function readArguments(): { expected: Head | undefined } {
  const { values } = parseArgs({ options: { expect: { type: 'string' } } });
  const expected = values.expect === undefined ? undefined : parseHead(values.expect);
  if (values.expect !== undefined && !expected) throw new Error(`--expect expects HASH:POSITION\n\n${usage}`);
  return { expected };
}

function told(broken: Broken): string {
  switch (broken.kind) {
    case 'seal_missing':
      return `seal ${broken.position} is missing`;
    case 'seal_changed':
      return `seal ${broken.position} is not what it was; everything before it is`;
    case 'transfer_missing':
      return `transfer ${broken.version} of loan ${broken.loanId}, sealed by ${broken.position}, is missing`;
    case 'transfer_changed':
      return `transfer ${broken.version} of loan ${broken.loanId}, sealed by ${broken.position}, is not what it was; everything before it is`;
    case 'put_in':
      return `transfer ${broken.version} of loan ${broken.loanId} is not sealed once nor waits for it: it was put in, or its seal was removed or doubled`;
    case 'unsealed_missing':
      return `transfer ${broken.version} of loan ${broken.loanId}, which waited for its seal, is missing`;
    case 'not_as_expected':
      return `the head that was kept is not there: the ledger was cut off or rewritten at or before seal ${broken.position}`;
    case 'inconsistent':
      return `loan ${broken.loanId} has ${inconsistencies[broken.what]}`;
  }
}

async function run(): Promise<void> {
  const { expected } = readArguments();
  loadEnvFile();
  const url = process.env.LEDGER_DATABASE_URL || readRunning().ledgerDatabaseUrl;
  if (!url) throw new Error('no ledger of ours runs here: set LEDGER_DATABASE_URL');
  const db = openPool({ url, min: 0, max: 1, applicationName: 'recoup-verify-ledger', timeoutMs });
  try {
    let saidAt = performance.now();
    const checked = (seals: number) => {
      if (performance.now() - saidAt < saidEveryMs) return;
      saidAt = performance.now();
      say(`${seals} seals hold so far`);
    };
    const { head, unsealed, broken } = await verifyLedger(db, { expected, checked });
    say(`${head?.position ?? 0} seals hold; ${unsealed} transfers wait for theirs`);
    if (broken) throw new Error(`NOT whole: ${told(broken)}`);
    say('positions and instalments are what the transfers come to');
    say(head ? `head: ${written(head)}` : 'nothing is sealed yet');
  } finally {
    await db.close();
  }
}

await run().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
