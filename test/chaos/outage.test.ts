import { chmodSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { runOutage } from './outage.ts';

test('Postgres goes away under load: what was accepted is there afterwards, once', async () => {
  const folder = mkdtempSync(join(inject('runFolder'), 'outage-'));
  // Postgres may run as another user, who has to get through to its data.
  chmodSync(folder, 0o711);
  const result = await runOutage({ folder, seconds: 6, perSecond: 60, say: () => {} });
  expect(result.broken).toEqual([]);
  expect(Object.keys(result.answers).toSorted()).toEqual(['accepted', 'created', 'duplicate']);
  expect(result.answers.accepted).toBeGreaterThan(100);
  expect(result.answers.created).toBeGreaterThan(100);
  expect(result.promised).toBeGreaterThan(400);
}, 180_000);
