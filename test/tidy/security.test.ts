// docs/security.md names for each requirement of the OWASP ASVS what shows it: the files and titles exist, and no
// requirement of the levels 1 and 2 is left out, named twice or made up.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { read, root } from './repository.ts';

/** By section, the numbers that are of level 1 or 2. */
const sections: Record<string, number[]> = {
  ...{ 1.1: upTo(2), 1.2: upTo(9), 1.3: upTo(11), 1.4: upTo(3), 1.5: upTo(2) },
  ...{ 2.1: upTo(3), 2.2: upTo(3), 2.3: upTo(4), 2.4: upTo(1) },
  ...{ 4.1: upTo(3), 4.2: upTo(1), 4.3: upTo(2), 4.4: upTo(4) },
  ...{ 6.1: upTo(3), 6.2: upTo(12), 6.3: upTo(4), 6.4: upTo(4), 6.5: upTo(5), 6.6: upTo(3), 6.8: upTo(4) },
  ...{ 7.1: upTo(3), 7.2: upTo(4), 7.3: upTo(2), 7.4: upTo(5), 7.5: upTo(2), 7.6: upTo(2) },
  ...{ 8.1: upTo(2), 8.2: upTo(3), 8.3: upTo(1), 8.4: upTo(1), 9.1: upTo(3), 9.2: upTo(4) },
  ...{
    10.1: upTo(2),
    10.2: upTo(2),
    10.3: upTo(4),
    10.4: upTo(11),
    10.5: upTo(5),
    10.6: upTo(2),
    10.7: upTo(3),
  },
  ...{ 16.1: upTo(1), 16.2: upTo(5), 16.3: upTo(4), 16.4: upTo(3), 16.5: upTo(3) },
};
function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, i) => i + 1);
}

/** `- **1.2.3, 1.2.4** What it asks.` and, indented below, what shows it. */
const rows = [...read('docs/security.md').matchAll(/^- \*\*([\d., ]+)\*\* .+\.\n((?: {2}.+\n)+)/gm)].map(
  ([, numbers, shown]) => ({ numbers: numbers as string, shown: shown as string }),
);
const shownBy = /`([\w./-]+\.test\.ts)` “([^”]+)”/g;

test('every requirement of the chapters is there once', () => {
  const named = rows.flatMap(({ numbers }) => numbers.split(', '));
  const all = Object.entries(sections).flatMap(([section, last]) => last.map((n) => `${section}.${n}`));
  expect(named.toSorted()).toEqual(all.toSorted());
});

test.each(rows.map((row): [string, (typeof row)['shown']] => [row.numbers, row.shown]))(
  '%s names a test, a document, or a reason',
  (_, shown) => {
    const tests = [...shown.matchAll(shownBy)];
    const isDocumented = /\]\([\w-]+\.md/.test(shown);
    const hasReason = /(Does not apply|Not met|Not yet): \S/.test(shown);
    expect(tests.length > 0 || isDocumented || hasReason).toBe(true);
    // A test that is not written as one would not be looked up.
    expect(shown.match(/\.test\.ts/g) ?? []).toHaveLength(tests.length);
    for (const [, path, title] of tests) {
      expect(existsSync(join(root, path as string)), path).toBe(true);
      expect(read(path as string), `${path} has no such test`).toContain(`'${title}'`);
    }
  },
);
