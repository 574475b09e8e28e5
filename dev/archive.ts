// What commands over the archive of servicing events need: the database (DATABASE_URL, else the one that `npm start`
// runs here), the keys, and the deployment's rules, which must be the projector's: others would fold something else.

import * as z from 'zod/mini';
import { openPool, type Pool } from '../containers/database.ts';
import { masterKeys } from '../containers/projector/master-keys.ts';
import { openVault } from '../containers/projector/vault.ts';
import type { Tools } from '../shared/servicing/fold-batch.ts';
import { currency, parseSettings, timeZone } from '../shared/settings.ts';
import { readRunning } from './running.ts';
import { loadEnvFile } from './stack/settings.ts';

const variables = z.object({
  ARCHIVE_MASTER_KEYS: masterKeys(),
  BUSINESS_TIME_ZONE: timeZone(),
  DEFAULT_CURRENCY: currency(),
  SERVICING_BALANCES: z._default(z.enum(['events', 'ledger'], 'expected events or ledger'), 'events'),
});

/** Locks are waited for as long as this, too. */
const timeoutMs = 600_000;

export function openArchive(name: string): { db: Pool; tools: Tools } {
  loadEnvFile();
  const running = process.env.DATABASE_URL ? undefined : readRunning();
  const settings = parseSettings(name, variables, {
    ...process.env,
    ARCHIVE_MASTER_KEYS: process.env.ARCHIVE_MASTER_KEYS || running?.archiveMasterKeys,
  });
  const url = running?.databaseUrl ?? (process.env.DATABASE_URL as string);
  const rules = {
    timeZone: settings.BUSINESS_TIME_ZONE,
    currency: settings.DEFAULT_CURRENCY,
    balances: settings.SERVICING_BALANCES,
  };
  return {
    db: openPool({ url, min: 0, max: 2, applicationName: `recoup-${name}`, timeoutMs }),
    tools: { vault: openVault(settings.ARCHIVE_MASTER_KEYS), rules },
  };
}
