import { expect, test } from 'vitest';
import { SettingsFault } from '../../shared/settings.ts';
import { readIngestSettings } from './env.ts';

const database = { DATABASE_URL: 'postgresql://recoup_ingest:secret@db:5432/recoup?sslmode=require' };

function faults(env: Record<string, string>): readonly string[] {
  try {
    readIngestSettings(env);
    return [];
  } catch (error) {
    if (error instanceof SettingsFault) return error.faults;
    throw error;
  }
}

test('with a database alone, everything else has its default, and nothing is ever exported', () => {
  expect(readIngestSettings(database)).toEqual({
    logLevel: 'info',
    heartbeatMs: 5_000,
    probePort: undefined,
    database: { url: database.DATABASE_URL, min: 1, max: 4 },
    staging: {
      business: { timeZone: 'UTC', currency: 'EUR' },
      enabled: true,
      idleMs: 30_000,
      batchSize: 1_000,
      workers: 2,
      maxRetries: 3,
    },
    notices: { channels: new Map(), idleMs: 5_000, timeoutMs: 10_000 },
    partitions: { monthsAhead: 3 },
    retention: { keptMonths: 12, exportFolder: undefined },
    cleanup: { sessionDays: 30 },
  });
});

test('the months and the place for exports are read', () => {
  expect(
    readIngestSettings({
      ...database,
      PARTITIONS_AHEAD_MONTHS: '6',
      PARTITION_RETENTION_MONTHS: '84',
      RETENTION_EXPORT_FOLDER: import.meta.dirname,
    }),
  ).toMatchObject({
    partitions: { monthsAhead: 6 },
    retention: { keptMonths: 84, exportFolder: import.meta.dirname },
  });
});

test('every fault is listed at once, by name, and never with the value', () => {
  const found = faults({
    DATABASE_URL: 'mysql://root:hunter2@db/x',
    DB_POOL_MIN: '9',
    PARTITIONS_AHEAD_MONTHS: '0',
    PARTITION_RETENTION_MONTHS: '0',
    RETENTION_EXPORT_FOLDER: '/hunter2',
  });
  expect(found).toEqual([
    'DATABASE_URL: expected postgresql://user:password@host:port/database',
    'PARTITIONS_AHEAD_MONTHS: expected a whole number from 1 to 120',
    'PARTITION_RETENTION_MONTHS: expected a whole number from 1 to 1200',
    'RETENTION_EXPORT_FOLDER: expected a folder that exists',
    'DB_POOL_MIN: is more than DB_POOL_MAX',
  ]);
  expect(found.join()).not.toContain('hunter2');
});

test('staging needs two connections beside those of its workers', () => {
  expect(faults({ ...database, STAGING_WORKERS: '3' })).toEqual([
    'DB_POOL_MAX: expected at least two more than STAGING_WORKERS',
  ]);
  expect(faults({ ...database, STAGING_WORKERS: '3', DB_POOL_MAX: '5' })).toEqual([]);
});

test('a file is no place for exports', () => {
  expect(faults({ ...database, RETENTION_EXPORT_FOLDER: import.meta.filename })).toEqual([
    'RETENTION_EXPORT_FOLDER: expected a folder that exists',
  ]);
});
