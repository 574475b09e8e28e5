// `npm run erase -- --customer ID --reason R`: erases a person from the projections and the archive; what the law keeps
// stays, without names. Repeating it changes nothing, and completes what was cut off.

import { parseArgs } from 'node:util';
import { askedBy } from '../shared/audit/asker.ts';
import { eraseCustomer } from '../shared/servicing/erase-customer.ts';
import { openArchive } from './archive.ts';

const usage = `Usage: npm run erase -- --customer <id> --reason <text>

  --by <name>   who asks for it`;

function readArguments() {
  const { values } = parseArgs({
    options: { customer: { type: 'string' }, reason: { type: 'string' }, by: { type: 'string' } },
  });
  const [customerId, reason] = [values.customer?.trim() ?? '', values.reason?.trim() ?? ''];
  if (customerId === '') throw new Error(`--customer is needed\n\n${usage}`);
  if (!/^.{1,1000}$/su.test(reason))
    throw new Error(`--reason of 1 to 1000 characters is needed\n\n${usage}`);
  return { customerId, reason, requestedBy: values.by?.trim() || 'job:erase' };
}

async function run(): Promise<void> {
  const request = readArguments();
  const { db, tools } = openArchive('erase');
  try {
    const answer = await eraseCustomer(askedBy(db, { actor: 'job:erase' }), request, tools);
    if (!answer.ok)
      throw new Error(
        `nobody has told about a customer ${request.customerId} (--customer expects the customer_id, no other name)`,
      );
    const { customers, subjects, events, aggregates, deadLetters, notes, waiting, shared } = answer.value;
    console.log(`erased: ${customers.join(', ')}${subjects === 0 ? ' (had been erased before)' : ''}`);
    console.log(`keys deleted: ${subjects}`);
    console.log(`events without names now: ${events}, which tell about ${aggregates} aggregates`);
    console.log(`dead letters deleted: ${deadLetters}`);
    console.log(`notes deleted: ${notes}`);
    console.log(`waiting events folded without names: ${waiting}`);
    for (const key of shared) console.log(`keeps its key, being somebody else's as well: ${key}`);
  } finally {
    await db.close();
  }
}

await run().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
