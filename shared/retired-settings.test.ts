import { expect, test } from 'vitest';
import { retiredSettings } from './retired-settings.ts';

test('every retired setting that is set gets a line with the reason, and never its value', () => {
  const lines = retiredSettings({ DB_HOST: 'h', DB_PASSWORD: 's3cret', METRICS_PORT: '9090', DB_PORT: '' });
  expect(lines).toEqual([
    'DB_HOST has no effect: DATABASE_URL says where the database is',
    'DB_PASSWORD has no effect: DATABASE_URL carries the password',
    'METRICS_PORT has no effect: /metrics is on the front door',
  ]);
});

test('settings that are in use get none', () => {
  expect(retiredSettings({ DATABASE_URL: 'x', REDIS_URL: 'y', toString: 'z' })).toEqual([]);
});
