// `npm run breached-passwords -- --file pwned-passwords-sha1.txt`: refuses the passwords of a list in the form of Have I
// Been Pwned (`<SHA-1>:<count>` a line). Interrupted, it goes on where it was. Without a file it adds the common
// passwords that come with Recoup. In the database that DATABASE_URL names, else in the one that `npm start` runs here.

import { createReadStream, statSync } from 'node:fs';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { openPool } from '../containers/database.ts';
import { addCommonPasswords } from '../drizzle/common-passwords.ts';
import { loadBreachedPasswords } from '../shared/staff/load-breached-passwords.ts';
import { readRunning } from './running.ts';
import { loadEnvFile } from './stack/settings.ts';

const usage =
  'Usage: npm run breached-passwords -- [--file <list>] [--minimum-count <1-999999999>]   from a list only what was seen so often';

async function* linesFrom(file: string, fromByte: number) {
  let rest = Buffer.alloc(0);
  let endByte = fromByte;
  for await (const chunk of createReadStream(file, { start: fromByte })) {
    const bytes = Buffer.concat([rest, chunk as Buffer]);
    let start = 0;
    for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10, start)) {
      endByte += end + 1 - start;
      yield { text: bytes.toString('latin1', start, end), endByte };
      start = end + 1;
    }
    rest = bytes.subarray(start);
  }
  if (rest.length > 0) yield { text: rest.toString('latin1'), endByte: endByte + rest.length };
}

function readArguments(): { file: string | undefined; minimumCount: number } {
  const { values } = parseArgs({
    options: { file: { type: 'string' }, 'minimum-count': { type: 'string', default: '1' } },
  });
  const count = values['minimum-count'];
  if (!/^[1-9]\d{0,8}$/.test(count)) throw new Error(usage);
  return { file: values.file, minimumCount: Number(count) };
}

try {
  const { file, minimumCount } = readArguments();
  loadEnvFile();
  const url = process.env.DATABASE_URL || readRunning().databaseUrl;
  if (file === undefined) {
    console.log(`common passwords added: ${await addCommonPasswords(url)}`);
  } else {
    const { size } = statSync(file);
    const db = openPool({ url, min: 0, max: 1, applicationName: 'recoup-passwords', timeoutMs: 60_000 });
    try {
      let shown = 0;
      const added = await loadBreachedPasswords(
        db,
        // Read for another count it is another list.
        { name: `${basename(file)}, seen ${minimumCount} times`, sizeBytes: size },
        (fromByte) => linesFrom(file, fromByte),
        minimumCount,
        (readBytes, soFar) => {
          if (Date.now() - shown < 5_000) return;
          shown = Date.now();
          console.log(`${((readBytes / size) * 100).toFixed(1)} % read, ${soFar} added`);
        },
      );
      console.log(`breached passwords added: ${added}`);
    } finally {
      await db.close();
    }
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
