// Old months go to files and come back from them, to the last digit; until the files are there nothing goes.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { openPool, type Pool } from '../database.ts';
import { verifyExport } from './export-files.ts';
import { partitions } from './partitions.ts';
import { restoreExport } from './restore-export.ts';
import { retention } from './retention.ts';
import { recordOn, runJob } from './testing.ts';

const now = '2026-11-24T00:00:00Z';
const old = ['2025-01-01T00:00:00.000Z', '2025-01-15T12:00:00.123Z', '2025-01-31T23:59:59.999Z'];
const kept = ['2025-11-01T00:00:00.000Z', '2026-11-20T00:00:00.000Z'];

let database: TestDatabase;
let owner: Pool;
let db: Pool;
let folder: string;

beforeEach(async () => {
  folder = mkdtempSync(join(inject('runFolder'), 'exports-'));
  database = await createTestDatabase();
  const open = (url: string) => openPool({ url, min: 0, max: 4, applicationName: 'test', timeoutMs: 20_000 });
  owner = open(database.url);
  db = open(database.urlFor('recoup_ingest'));
});
afterEach(async () => {
  await Promise.all([owner.close(), db.close()]);
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

const job = (changes = {}) => retention({ keptMonths: 12, exportFolder: folder, ...changes });
/** Payments with these dates, in the partitions of their months. */
async function paymentsOf(dates: readonly string[]): Promise<void> {
  await recordOn(owner, dates);
  await runJob(partitions({ monthsAhead: 1 }), db, now);
}
const rows = async () =>
  (
    await owner.query<{ row: string }>('select p::text as row from payment_service.payments p order by p.id')
  ).map(({ row }) => row);
const references = async () => (await owner.query('select from payment_service.payment_references')).length;
const manifestOf = (name: string) => JSON.parse(readFileSync(join(folder, name, 'manifest.json'), 'utf8'));
const linesOf = (name: string): Array<Record<string, unknown>> =>
  gunzipSync(readFileSync(join(folder, name, `${name}.ndjson.gz`)))
    .toString()
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
const command = (script: string, ...args: string[]) =>
  new Promise<{ code: number; output: string }>((resolve) => {
    const path = join(import.meta.dirname, '../../dev', script);
    const env = { ...process.env, DATABASE_URL: database.url };
    execFile(process.execPath, [path, ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, output: stdout + stderr }),
    );
  });

test('without a place for exports nothing goes, and the run says so', async () => {
  await paymentsOf([...old, ...kept]);
  expect(await runJob(job({ exportFolder: undefined }), db, now)).toEqual({
    months_due: 1,
    months_dropped: 0,
    rows_exported: 0,
    off: 'RETENTION_EXPORT_FOLDER is not set',
  });
  expect(await rows()).toHaveLength(old.length + kept.length);
});

test('an old month goes to a file with its manifest and then out of the table, references stay', async () => {
  await paymentsOf([...old, ...kept]);
  expect(await runJob(job(), db, now)).toEqual({ months_due: 1, months_dropped: 1, rows_exported: 3 });
  expect(readdirSync(folder)).toEqual(['payments_2025_01']);
  expect(await rows()).toHaveLength(kept.length);
  expect(await references()).toBe(old.length + kept.length);
  const manifest = manifestOf('payments_2025_01');
  const file = join(folder, 'payments_2025_01', 'payments_2025_01.ndjson.gz');
  const [{ version } = { version: '' }] = await owner.query<{ version: string }>(
    'select max(created_at) as version from drizzle.__drizzle_migrations',
  );
  expect(manifest).toEqual({
    formatVersion: 1,
    name: 'payments_2025_01',
    month: '2025-01-01',
    exportedAt: expect.stringMatching(/^\d{4}-.*Z$/),
    schemaVersion: Number(version),
    columns: expect.arrayContaining([
      { name: 'id', type: 'uuid' },
      { name: 'amount', type: 'numeric(19,4)' },
      { name: 'payment_date', type: 'timestamp with time zone' },
    ]),
    rows: 3,
    sums: { EUR: expect.stringMatching(/^2702159776\d+\.\d{2}00$/) },
    digest: expect.stringMatching(/^-?\d+$/),
    files: [
      {
        name: 'payments_2025_01.ndjson.gz',
        rows: 3,
        bytes: statSync(file).size,
        sha256: createHash('sha256').update(readFileSync(file)).digest('hex'),
      },
    ],
  });
  const lines = linesOf('payments_2025_01');
  expect(lines).toHaveLength(3);
  for (const line of lines) {
    expect(Object.keys(line)).toEqual(manifest.columns.map(({ name }: { name: string }) => name));
    expect(line.amount).toMatch(/^9007199254\d+\.\d{4}$/);
  }
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(statSync(join(folder, 'payments_2025_01')).mode & 0o777).toBe(0o700);
  expect(await runJob(job(), db, now)).toEqual({ months_due: 0, months_dropped: 0, rows_exported: 0 });
});

test('what was dropped comes back to the last digit, and coming back twice changes nothing', async () => {
  await paymentsOf([...old, ...kept]);
  const before = await rows();
  await runJob(job(), db, now);
  const exported = join(folder, 'payments_2025_01');
  const name = 'payments_2025_01';
  expect(await restoreExport(owner, exported)).toEqual({ name, restored: 3, wereThere: 0 });
  expect(await rows()).toEqual(before);
  expect(await restoreExport(owner, exported)).toEqual({ name, restored: 0, wereThere: 3 });
  expect(await rows()).toEqual(before);
  // And it goes again, under a name of its own, beside the first.
  expect(await runJob(job(), db, now)).toMatchObject({ months_dropped: 1, rows_exported: 3 });
  expect(readdirSync(folder)).toEqual(['payments_2025_01', 'payments_2025_01_2']);
  expect(linesOf('payments_2025_01_2')).toEqual(linesOf('payments_2025_01'));
});

test('an export of an older table is restored, its new columns as the table has them by default', async () => {
  await paymentsOf(old);
  await runJob(job(), db, now);
  await owner.query(`alter table payment_service.payments add column colour text not null default 'blue'`);
  const exported = join(folder, 'payments_2025_01');
  expect(await restoreExport(owner, exported)).toMatchObject({ restored: 3 });
  expect(await owner.query('select distinct colour from payment_service.payments')).toEqual([
    { colour: 'blue' },
  ]);
  await owner.query('alter table payment_service.payments drop column cif');
  await expect(restoreExport(owner, exported)).rejects.toThrow('the table has no column cif');
});

test('exports are verified and restored by command', { timeout: 120_000 }, async () => {
  await paymentsOf(old);
  await runJob(job(), db, now);
  const exported = join(folder, 'payments_2025_01');
  const file = join(exported, 'payments_2025_01.ndjson.gz');
  const whole = readFileSync(file);
  writeFileSync(file, whole.subarray(0, whole.length - 20));
  expect(await command('verify-export.ts', folder)).toEqual({
    code: 1,
    output: 'payments_2025_01: NOT whole: payments_2025_01.ndjson.gz cannot be read: Z_BUF_ERROR\n',
  });
  expect(await command('restore-export.ts', exported)).toEqual({
    code: 1,
    output: 'the export is not whole: payments_2025_01.ndjson.gz cannot be read: Z_BUF_ERROR\n',
  });
  expect(await rows()).toEqual([]);
  writeFileSync(file, whole);
  expect(await command('verify-export.ts', folder)).toEqual({
    code: 0,
    output: expect.stringMatching(/^payments_2025_01: whole, 3 payments, 27021597\d+\.\d{4} EUR\n$/),
  });
  expect(await command('restore-export.ts', exported)).toEqual({
    code: 0,
    output: 'payments_2025_01: 3 payments put back, 0 were there\n',
  });
  expect(await rows()).toHaveLength(3);
});

test('payments that come late for a month that is gone are exported beside it', async () => {
  await paymentsOf(old);
  await runJob(job(), db, now);
  await paymentsOf(['2025-01-20T00:00:00Z']);
  expect(await runJob(job(), db, now)).toMatchObject({ months_dropped: 1, rows_exported: 1 });
  expect(linesOf('payments_2025_01')).toHaveLength(3);
  expect(linesOf('payments_2025_01_2')).toHaveLength(1);
});

test('a payment that comes in, or is changed, while its month is exported is in the file before the month goes', async () => {
  await paymentsOf(old);
  for (const change of [
    () => recordOn(owner, ['2025-01-10T00:00:00Z']),
    () =>
      owner.query(`update payment_service.payments set cif = 'CIF-changed' where payment_date = $1`, [
        old[0],
      ]),
  ]) {
    const before = await rows();
    let changed = false;
    const done = await runJob(job(), db, now, {
      progress: async () => {
        // After the first batch was read: it is the only one.
        if (!changed) await change();
        changed = true;
      },
    });
    expect(done).toMatchObject({ months_dropped: 1 });
    const name = readdirSync(folder)
      .filter((one) => !one.includes('superseded'))
      .at(-1)!;
    expect(readdirSync(folder).filter((one) => one.startsWith(`${name}.superseded-`))).toHaveLength(1);
    await restoreExport(owner, join(folder, name));
    const after = await rows();
    expect(after).not.toEqual(before);
    expect(linesOf(name)).toHaveLength(after.length);
  }
  expect((await rows()).filter((row) => row.includes('CIF-changed'))).toHaveLength(1);
});

test('a month that never rests is left alone, and the run says why', async () => {
  await paymentsOf(old);
  const progress = async () => void (await recordOn(owner, ['2025-01-10T00:00:00Z']));
  await expect(runJob(job(), db, now, { progress })).rejects.toThrow(
    'the payments of 2025-01 change while they are exported',
  );
  expect(await rows()).toHaveLength(old.length + 3);
});

test('what an interrupted run left unfinished is removed, and the month begins anew', async () => {
  await paymentsOf(old);
  const stop = new AbortController();
  await expect(
    runJob(job(), db, now, { signal: stop.signal, progress: async () => stop.abort() }),
  ).rejects.toThrow(/abort/);
  expect(await rows()).toHaveLength(3);
  await runJob(job(), db, now);
  expect(readdirSync(folder)).toEqual(['payments_2025_01']);
});

test('an export that was finished but not used is read again and used', async () => {
  await paymentsOf(old);
  await owner.transaction(async (tx) => {
    await tx.query('lock table payment_service.payments_2025_01 in row exclusive mode');
    const stop = new AbortController();
    const dropping = runJob(job(), db, now, { signal: stop.signal });
    await expect.poll(() => readdirSync(folder), { timeout: 10_000 }).toEqual(['payments_2025_01']);
    stop.abort();
    await expect(dropping).rejects.toThrow();
  });
  const { exportedAt } = manifestOf('payments_2025_01');
  expect(await runJob(job(), db, now)).toEqual({ months_due: 1, months_dropped: 1, rows_exported: 0 });
  expect(manifestOf('payments_2025_01').exportedAt).toBe(exportedAt);
});

test('an export that is not whole is set aside and never trusted', async () => {
  await paymentsOf(old);
  await runJob(job(), db, now);
  await restoreExport(owner, join(folder, 'payments_2025_01'));
  await owner.query('truncate payment_service.exported_months');
  appendFileSync(join(folder, 'payments_2025_01', 'payments_2025_01.ndjson.gz'), 'x');
  expect(await runJob(job(), db, now)).toMatchObject({ months_dropped: 1, rows_exported: 3 });
  expect(readdirSync(folder)).toEqual([
    'payments_2025_01',
    expect.stringMatching(/^payments_2025_01\.superseded-\d{8}T\d{9}Z-[0-9a-f]{8}$/),
  ]);
  expect(await verifyExport(join(folder, 'payments_2025_01'))).toMatchObject({ ok: true });
});

test('verifying finds every kind of damage, and restoring then changes nothing', async () => {
  await paymentsOf(old);
  await runJob(job(), db, now);
  const exported = join(folder, 'payments_2025_01');
  const file = join(exported, 'payments_2025_01.ndjson.gz');
  const manifestPath = join(exported, 'manifest.json');
  const [whole, manifest] = [readFileSync(file), readFileSync(manifestPath, 'utf8')];
  const text = gunzipSync(whole).toString();
  const damages: Array<[() => void, RegExp]> = [
    [() => rmSync(file), /cannot be read: ENOENT/],
    [() => writeFileSync(file, whole.subarray(0, whole.length - 20)), /cannot be read: Z_BUF_ERROR/],
    [() => writeFileSync(file, gzipSync(text.replace('CIF-1', 'CIF-2'))), /another checksum/],
    [
      () => writeFileSync(file, gzipSync(text.slice(0, text.indexOf('\n') + 1))),
      /has 1 rows, the manifest says 3/,
    ],
    [() => writeFileSync(file, gzipSync(text.replace('"cif"', '"CIF"'))), /a line has other columns/],
    [() => writeFileSync(file, gzipSync(`${text}{`)), /the last line has no end/],
    [() => writeFileSync(manifestPath, manifest.replace(/"EUR": "2/, '"EUR": "3')), /other sums/],
    [
      () => writeFileSync(manifestPath, manifest.replace('"rows": 3', '"rows": 4')),
      /there are 3 rows, the manifest says 4/,
    ],
    [() => writeFileSync(manifestPath, '{}'), /not a manifest/],
    [() => rmSync(manifestPath), /manifest\.json cannot be read: ENOENT/],
  ];
  for (const [damage, told] of damages) {
    damage();
    expect(await verifyExport(exported)).toEqual({
      ok: false,
      refusal: expect.arrayContaining([expect.stringMatching(told)]),
    });
    writeFileSync(file, whole);
    writeFileSync(manifestPath, manifest);
  }
  expect(await verifyExport(exported)).toMatchObject({ ok: true });
  writeFileSync(file, whole.subarray(0, whole.length - 20));
  await expect(restoreExport(owner, exported)).rejects.toThrow('the export is not whole');
  expect(await rows()).toEqual([]);
});

test('the role of ingest can drop only what an export names exactly', async () => {
  await paymentsOf([...old, ...kept]);
  const drop = (count: number, digest: string) =>
    db.query(`select payment_service.drop_month('2025-01-01', 'payments_2025_01', $1, $2, 1000) as outcome`, [
      count,
      digest,
    ]);
  expect(await drop(3, '0')).toEqual([{ outcome: 'changed' }]);
  await expect(db.query('drop table payment_service.payments_2025_01')).rejects.toMatchObject({
    sqlState: '42501',
  });
  await expect(db.query('delete from payment_service.payments')).rejects.toMatchObject({ sqlState: '42501' });
  await expect(db.query('select from payment_service.payments')).rejects.toMatchObject({ sqlState: '42501' });
  expect(await rows()).toHaveLength(old.length + kept.length);
});
