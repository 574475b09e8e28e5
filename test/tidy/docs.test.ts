// What the documentation names exists: files, headings, commands, metrics, permissions.

import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, test } from 'vitest';
import { permissions } from '../../shared/staff/permissions.ts';
import { files, namesIn, read, root } from './repository.ts';

const documents = files('**/*.md');
const scripts = Object.keys(JSON.parse(read('package.json')).scripts);

/** A heading's anchor, as Git hosts write it. */
const anchor = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');

/** Code shows what may look like a link or a heading and is none. */
const withoutCode = (text: string) => text.replace(/^```.*?^```$/gms, '').replace(/`[^`\n]*`/g, '`');

test('there are documents to look at', () => {
  expect(documents).toEqual(expect.arrayContaining(['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md']));
});

test.each(documents)('every link in %s leads somewhere', (document) => {
  const links = namesIn(withoutCode(read(document)), /\]\(([^)\s]+)\)/g);
  for (const link of links.filter((to) => !/^[a-z]+:/.test(to))) {
    const [path = '', heading] = link.split('#');
    const target = path === '' ? document : normalize(join(dirname(document), path));
    expect(existsSync(join(root, target)), `${link}: no such file`).toBe(true);
    if (heading === undefined) continue;
    const headings = namesIn(read(target), /^#+ (.+)$/gm).map(anchor);
    expect(headings, `${link}: no such heading`).toContain(heading);
  }
});

test.each(documents)('every command that %s mentions exists', (document) => {
  for (const script of namesIn(read(document), /npm run (?:-s )?([a-z][\w:-]*)/g)) {
    expect(scripts).toContain(script);
  }
});

test.each(documents)('%s names files of the repository that exist', (document) => {
  const paths = namesIn(
    read(document),
    /`((?:workers|containers|shared|drizzle|dev|bench|test|docs)\/[\w./-]+\.(?:ts|sql|md|xml|toml))`/g,
  );
  for (const path of paths) expect(existsSync(join(root, path)), path).toBe(true);
});

test.each(documents)('%s speaks of no particular machine', (document) => {
  expect(read(document)).not.toMatch(/\/(work|root|home)\//);
});

test('every command of package.json is in the README', () => {
  const mentioned = read('README.md');
  for (const script of scripts) expect(mentioned).toMatch(new RegExp(`npm (run )?${script}\\b`));
});

test('docs/operate.md explains every metric, every health check and every retired setting', () => {
  const operate = read('docs/operate.md');
  const metrics = namesIn(read('workers/api/metrics.ts'), /^ {2}(recoup_[a-z_]+): \{/gm);
  const checks = namesIn(read('workers/api/health.ts'), /^ {4}([a-z_]+):/gm);
  const retired = namesIn(read('shared/retired-settings.ts'), /^ {2}([A-Z_]+): '/gm);
  for (const list of [metrics, checks, retired]) expect(list.length).toBeGreaterThan(5);
  for (const name of [...metrics, ...checks, ...retired]) expect(operate).toContain(`\`${name}`);
});

test('docs/api.md explains every permission', () => {
  for (const permission of Object.keys(permissions)) {
    expect(read('docs/api.md')).toContain(`\`${permission}\``);
  }
});

test('every decision has its number and a page of its own shape', () => {
  const pages = files('docs/decisions/*.md');
  expect(pages.map((page) => page.slice('docs/decisions/'.length, 'docs/decisions/'.length + 4))).toEqual(
    pages.map((_, i) => String(i + 1).padStart(4, '0')),
  );
  for (const page of pages) {
    expect(namesIn(read(page), /^## (.+)$/gm), page).toEqual([
      'Consequences',
      'Context',
      'Decision',
      'Tried',
    ]);
  }
});
