// The import rules of .dependency-cruiser.cjs catch what they were written for: one small violation of each, in a
// folder shaped like the checkout.

import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { root } from './repository.ts';

const allowed: Record<string, string> = {
  'drizzle/schema/payments.ts': `import { pgTable } from 'drizzle-orm/pg-core';\nexport const payments = pgTable;\n`,
  'shared/money.ts': `import * as z from 'zod/mini';\nexport const money = z;\n`,
  'shared/payments/store.ts': `import { payments } from '../../drizzle/schema/payments.ts';\nexport const store = payments;\n`,
  'shared/payments/record.ts': `import { store } from './store.ts';\nexport const record = store;\n`,
  'shared/payments/archive-store.ts': `export const archive = 1;\n`,
  'shared/payments/rebuild.ts': `import { archive } from './archive-store.ts';\nexport const rebuild = archive;\n`,
  'shared/payments/testing.ts': `export const sample = 1;\n`,
  'shared/payments/record.test.ts': `import 'node:fs';\nimport { sample } from './testing.ts';\nexport { sample };\n`,
  'shared/read/screen.ts': `import { payments } from '../../drizzle/schema/payments.ts';\nexport const screen = payments;\n`,
  'workers/app.ts': `import { Hono } from 'hono/tiny';\nexport const app = new Hono();\n`,
  'workers/api/main.ts': `import { app } from '../app.ts';\nimport { record } from '../../shared/payments/record.ts';\nexport { app, record };\n`,
  'workers/webhooks/main.ts': `export const webhooks = 1;\n`,
  'containers/kafka.ts': `import { Kafka } from 'kafkajs';\nexport { Kafka };\n`,
  'containers/publisher/main.ts': `import 'node:os';\nimport { Kafka } from '../kafka.ts';\nexport { Kafka };\n`,
  'containers/ledger-client.ts': `import * as grpc from '@grpc/grpc-js';\nexport { grpc };\n`,
  'containers/other/main.ts': `export const other = 1;\n`,
  'containers/edge/apps.ts': `import { webhooks } from '../../workers/webhooks/main.ts';\nexport { webhooks };\n`,
};

/** A file, what it imports, and the rules that this breaks. */
const violations: Array<[path: string, from: string, rules: string[]]> = [
  ['shared/payments/clock.ts', 'node:fs', ['shared-is-pure']],
  ['shared/payments/server.ts', 'hono', ['shared-is-pure']],
  ['shared/payments/driver.ts', 'pg', ['shared-is-pure']],
  ['shared/payments/room.ts', '../../workers/app.ts', ['shared-is-pure']],
  ['shared/payments/log.ts', 'kafkajs', ['one-file-knows-kafkajs', 'shared-is-pure']],
  ['workers/api/disk.ts', 'node:fs', ['edge-has-no-node']],
  ['workers/api/pool.ts', 'pg', ['edge-has-no-node']],
  ['workers/api/visit.ts', '../../containers/other/main.ts', ['edge-has-no-node']],
  ['workers/api/neighbour.ts', '../webhooks/main.ts', ['rooms-do-not-visit-each-other']],
  ['containers/other/neighbour.ts', '../publisher/main.ts', ['rooms-do-not-visit-each-other']],
  ['containers/other/visit.ts', '../../workers/app.ts', ['containers-stay-on-their-side']],
  ['containers/edge/inside.ts', '../../workers/app.ts', ['the-edge-on-node-serves-workers']],
  ['containers/other/serve.ts', '../../workers/webhooks/main.ts', ['containers-stay-on-their-side']],
  ['containers/other/kafka.ts', 'kafkajs', ['one-file-knows-kafkajs']],
  ['containers/other/grpc.ts', '@grpc/grpc-js', ['one-file-a-side-knows-grpc']],
  ['shared/payments/tables.ts', '../../drizzle/schema/payments.ts', ['only-stores-know-tables']],
  [
    'workers/api/tables.ts',
    '../../drizzle/schema/payments.ts',
    ['edge-has-no-node', 'only-stores-know-tables'],
  ],
  ['shared/staff/other-store.ts', '../payments/store.ts', ['a-store-is-private-to-its-slice']],
  ['shared/staff/other-archive.ts', '../payments/archive-store.ts', ['a-store-is-private-to-its-slice']],
  ['shared/read/other-store.ts', '../payments/store.ts', ['a-store-is-private-to-its-slice']],
  ['workers/api/store-of-slice.ts', '../../shared/payments/store.ts', ['a-store-is-private-to-its-slice']],
  [
    'containers/other/store-of-slice.ts',
    '../../shared/payments/store.ts',
    ['a-store-is-private-to-its-slice'],
  ],
  ['shared/payments/sampling.ts', './testing.ts', ['nothing-imports-tests']],
  ['shared/payments/circle.ts', './circle.ts', ['no-cycles']],
];

const folder = mkdtempSync(join(tmpdir(), 'recoup-imports-'));
const found = new Map<string, Set<string>>();

beforeAll(async () => {
  for (const file of ['.dependency-cruiser.cjs', 'tsconfig.json'])
    cpSync(join(root, file), join(folder, file));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  for (const [path, text] of Object.entries(allowed)) write(path, text);
  for (const [path, from] of violations) write(path, `import * as what from '${from}';\nexport { what };\n`);

  const program = join(root, 'node_modules/.bin/depcruise');
  const args = ['shared', 'workers', 'containers', 'drizzle', '--output-type', 'json'];
  const output = await new Promise<string>((resolve, reject) => {
    // It exits with the number of violations.
    execFile(program, args, { cwd: folder, maxBuffer: 2 ** 26 }, (_, stdout, stderr) =>
      stdout ? resolve(stdout) : reject(new Error(stderr)),
    );
  });
  for (const { from, rule } of JSON.parse(output).summary.violations) {
    found.set(from, (found.get(from) ?? new Set()).add(rule.name));
  }
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each(violations)('%s may not import %s', (path, _, rules) => {
  expect([...(found.get(path) ?? [])].toSorted()).toEqual(rules);
});

test('what is allowed is not reported', () => {
  const broken = violations.map(([path]) => path);
  expect([...found.keys()].filter((path) => !broken.includes(path))).toEqual([]);
});

test('every rule has a violation here', () => {
  const { forbidden } = createRequire(import.meta.url)(join(root, '.dependency-cruiser.cjs'));
  const names = forbidden.map(({ name }: { name: string }) => name).toSorted();
  expect([...new Set(violations.flatMap(([, , rules]) => rules))].toSorted()).toEqual(names);
});
