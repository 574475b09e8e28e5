// `npm run admin -- --username ada`: makes the first administrator and prints a password that is good for setting
// another one. In the database that DATABASE_URL names, else in the one that `npm start` runs here. While somebody can
// administer it needs `--another`.

import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { openPool } from '../containers/database.ts';
import { nativeScrypt } from '../containers/edge/scrypt.ts';
import { askedBy } from '../shared/audit/asker.ts';
import { createAdmin } from '../shared/staff/create-admin.ts';
import { hashPassword } from '../shared/staff/password-hash.ts';
import { readRunning } from './running.ts';
import { loadEnvFile } from './stack/settings.ts';

const usage = 'Usage: npm run admin -- --username <name> [--name <text>] [--email <address>] [--another]';
const actor = 'job:admin';

function readArguments() {
  const { values } = parseArgs({
    options: {
      username: { type: 'string' },
      name: { type: 'string' },
      email: { type: 'string' },
      another: { type: 'boolean', default: false },
    },
  });
  const username = values.username?.toLowerCase() ?? '';
  if (!/^[a-z0-9][a-z0-9._@-]{0,63}$/.test(username)) {
    throw new Error(`--username expects 1 to 64 of letters, digits and . _ @ -\n\n${usage}`);
  }
  const displayName = values.name?.trim() || username;
  return { username, displayName, email: values.email ?? null, another: values.another };
}

try {
  const given = readArguments();
  loadEnvFile();
  const url = process.env.DATABASE_URL || readRunning().databaseUrl;
  const pool = openPool({ url, min: 0, max: 1, applicationName: 'recoup-admin', timeoutMs: 10_000 });
  try {
    const password = randomBytes(15).toString('base64url');
    const hash = await hashPassword(nativeScrypt, password);
    const made = await createAdmin(askedBy(pool, { actor }), { ...given, hash, actor });
    if (!made.ok) {
      throw new Error(
        made.refusal === 'admin_exists'
          ? 'there is an administrator already; --another makes one more'
          : `the user name ${given.username} is taken; names are never given twice`,
      );
    }
    console.log(`${given.username} can sign in with the password ${password}
It is shown this once, and opens nothing until a new one has been set.`);
  } finally {
    await pool.close();
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
