import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { sharedActiveDirectory } from '../../test/identity-providers.ts';
import { startThenKill } from './killed-starter.ts';
import { isFree } from './port.ts';

/** The shared one says whether it can be started here. */
const skipped = (await sharedActiveDirectory()) === null;

test.skipIf(skipped)(
  'a domain controller whose starter was killed ends with it',
  async () => {
    const folder = mkdtempSync(join(inject('runFolder'), 'samba-'));
    const options = { dataDir: join(folder, 'data'), logFile: join(folder, 'log'), people: [] };
    const module = new URL('./samba.ts', import.meta.url).href;
    const { url } = await startThenKill<{ url: string }>(module, 'startSamba', options);
    await expect.poll(() => isFree(636, new URL(url).hostname), { timeout: 10_000 }).toBe(true);
  },
  120_000,
);
