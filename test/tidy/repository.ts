// The checkout as text, for tests that compare one file with another.

import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '../..');

/** A file of the checkout by its path from the root. */
export const read = (path: string): string => readFileSync(join(root, path), 'utf8');

const notOurs = ['node_modules', '.git', '.recoup', '.wrangler', 'dist'];

/** Paths from the root, sorted. */
export const files = (pattern: string): string[] =>
  globSync(pattern, { cwd: root, exclude: (name) => notOurs.includes(name) }).toSorted();

/** What the pattern's first group matches, without repetition, sorted. */
export const namesIn = (text: string, pattern: RegExp): string[] =>
  [...new Set([...text.matchAll(pattern)].map((match) => match[1] as string))].toSorted();
