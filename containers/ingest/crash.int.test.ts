// Ingest killed at random moments while it moves and exports months, by a seeded random. Afterwards every payment is in
// the table or in one export that was used, once, and never in none.

import { mkdtempSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import { requestJob } from '../../shared/operations/request-job.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { seeded } from '../../test/seeded.ts';
import { openPool, type Pool } from '../database.ts';
import { type ContainerProcess, spawnContainer } from '../testing.ts';
import { readExport, verifyExport } from './export-files.ts';
import { recordOn } from './testing.ts';

const seed = 20_261_124;
const kills = 4;
const months = ['2024-01', '2024-02', '2024-03', '2024-04', '2031-05'];
const perMonth = 3_000;

let database: TestDatabase;
let owner: Pool;
let current: ContainerProcess | undefined;

beforeAll(async () => {
  database = await createTestDatabase();
  owner = openPool({ url: database.url, min: 0, max: 4, applicationName: 'test', timeoutMs: 20_000 });
});
afterEach(async () => {
  current?.child.kill('SIGKILL');
  await current?.exited;
});
afterAll(async () => {
  await owner.close();
  await database.drop();
});

test('killed at any moment, no payment is lost and none is in two places', async () => {
  const folder = mkdtempSync(join(inject('runFolder'), 'crash-exports-'));
  const all: string[] = [];
  for (const month of months) {
    const dates = Array.from(
      { length: perMonth },
      (_, n) => `${month}-${String(1 + (n % 28)).padStart(2, '0')}T08:00:00Z`,
    );
    all.push(...(await recordOn(owner, dates)));
  }
  const random = seeded(seed).next;
  const start = async () => {
    for (const job of ['partitions', 'retention'] as const) await requestJob(owner, { job, actor: 'test' });
    current = spawnContainer('ingest', {
      DATABASE_URL: database.urlFor('recoup_ingest'),
      RETENTION_EXPORT_FOLDER: folder,
    });
    const { lines } = current;
    await expect
      .poll(() => lines, { timeout: 60_000, interval: 5 })
      .toContainEqual(expect.objectContaining({ event: 'job_started' }));
    return current;
  };
  for (let kill = 0; kill < kills; kill++) {
    const process = await start();
    await sleep(random() * 1_500);
    process.child.kill('SIGKILL');
    await process.exited;
  }
  await start();
  const waiting = async () =>
    (await owner.query(`select from operations.job_runs where status in ('requested', 'running')`)).length;
  await expect.poll(waiting, { timeout: 100_000, interval: 100 }).toBe(0);
  // The months that were moved last had no partition yet when retention looked.
  await requestJob(owner, { job: 'retention', actor: 'test' });
  await expect.poll(waiting, { timeout: 100_000, interval: 100 }).toBe(0);

  const inTable = await owner.query<{ id: string; month: string }>(
    `select id, to_char(payment_date at time zone 'UTC', 'YYYY-MM') as month from payment_service.payments`,
  );
  expect(new Set(inTable.map(({ month }) => month))).toEqual(new Set(['2031-05']));
  const used = await owner.query<{ name: string }>(
    'select name from payment_service.exported_months order by name',
  );
  expect(used.map(({ name }) => name)).toEqual(
    months.slice(0, 4).map((month) => `payments_${month.replace('-', '_')}`),
  );
  const exported: string[] = [];
  for (const { name } of used) {
    const verified = await verifyExport(join(folder, name));
    if (!verified.ok) throw new Error(verified.refusal.join());
    for await (const lines of readExport(join(folder, name), verified.value)) {
      exported.push(...lines.map((line) => JSON.parse(line).id));
    }
  }
  const found = [...inTable.map(({ id }) => id), ...exported];
  expect(found).toHaveLength(all.length);
  expect(new Set(found)).toEqual(new Set(all));
  expect(readdirSync(folder).filter((name) => name.endsWith('.partial'))).toEqual([]);
}, 300_000);
