// `npm run verify:export -- <folder>`: reads an export of payments, or every export in a folder, and says whether it is
// whole: checksums, rows, sums, columns. Exits 1 when one is not, or when there is none.

import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isExportName, verifyExport } from '../containers/ingest/export-files.ts';

const [folder, ...more] = process.argv.slice(2);
if (folder === undefined || more.length > 0) {
  console.error('Usage: npm run verify:export -- <folder>');
  process.exit(1);
}

try {
  const names = readdirSync(folder).filter(isExportName).toSorted();
  const exports = readdirSync(folder).includes('manifest.json')
    ? [folder]
    : names.map((name) => join(folder, name));
  if (exports.length === 0) throw new Error(`there is no export in ${folder}`);
  for (const path of exports) {
    const verified = await verifyExport(path);
    if (verified.ok) {
      const sums = Object.entries(verified.value.sums).map(([currency, sum]) => `${sum} ${currency}`);
      console.log(
        `${basename(path)}: whole, ${verified.value.rows} payments, ${sums.join(', ') || 'no amounts'}`,
      );
    } else {
      console.error(`${basename(path)}: NOT whole: ${verified.refusal.join('; ')}`);
      process.exitCode = 1;
    }
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
