// `npm run key -- --scope payments:read`: creates an API key and prints it, once; `--revoke <prefix>` ends one. In the
// database that DATABASE_URL names, else in the one that `npm start` runs here.

import { parseArgs } from 'node:util';
import { openPool } from '../containers/database.ts';
import { askedBy } from '../shared/audit/asker.ts';
import { createApiKey } from '../shared/staff/create-key.ts';
import { isPermission, permissions } from '../shared/staff/permissions.ts';
import { revokeApiKey } from '../shared/staff/revoke-key.ts';
import { readRunning } from './running.ts';
import { loadEnvFile } from './stack/settings.ts';

const usage = `Usage: npm run key -- --scope <permission> [--scope <permission> ...] [--name <text>] [--days <1-3650>]
       npm run key -- --revoke <prefix>          the prefix is the middle part of rk_<prefix>_<secret>

Permissions:
${Object.entries(permissions)
  .map(([name, meaning]) => `  ${name.padEnd(20)} ${meaning}`)
  .join('\n')}`;

function readArguments() {
  const { values } = parseArgs({
    options: {
      scope: { type: 'string', multiple: true, default: [] },
      name: { type: 'string', default: 'created by command' },
      days: { type: 'string' },
      revoke: { type: 'string' },
    },
  });
  if (values.revoke !== undefined) return { revoke: values.revoke };
  const scopes = values.scope.flatMap((list) => list.split(',')).map((scope) => scope.trim());
  const unknown = scopes.filter((scope) => !isPermission(scope));
  if (unknown.length > 0) throw new Error(`unknown permission: ${unknown.join(', ')}\n\n${usage}`);
  if (scopes.length === 0) throw new Error(`a key needs at least one --scope\n\n${usage}`);
  if (
    values.days !== undefined &&
    !(/^\d{1,4}$/.test(values.days) && +values.days >= 1 && +values.days <= 3650)
  ) {
    throw new Error(`--days expects 1 to 3650\n\n${usage}`);
  }
  const expiresAt =
    values.days === undefined ? null : new Date(Date.now() + Number(values.days) * 86_400_000);
  return { revoke: undefined, scopes: scopes.filter(isPermission), name: values.name, expiresAt };
}

try {
  const given = readArguments();
  loadEnvFile();
  const url = process.env.DATABASE_URL || readRunning().databaseUrl;
  const pool = openPool({ url, min: 0, max: 1, applicationName: 'recoup-key', timeoutMs: 10_000 });
  const actor = 'job:key';
  const db = askedBy(pool, { actor });
  try {
    if (given.revoke === undefined) {
      console.log((await createApiKey(db, { ...given, actor })).token);
    } else if (await revokeApiKey(db, { prefix: given.revoke, actor })) {
      console.log(`revoked ${given.revoke}; it works for at most five seconds more`);
    } else throw new Error(`no live key has the prefix ${given.revoke}`);
  } finally {
    await pool.close();
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
