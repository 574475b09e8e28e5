// `npm run chaos -- --rounds 200 --seed 1`: as many rounds of kill -9 as told, on servers of its own. Stops at the first
// round that does not hold, says its seed and exits 1.

import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openPool } from '../../containers/database.ts';
import { startPostgres } from '../../dev/servers/postgres.ts';
import { startRedis } from '../../dev/servers/redis.ts';
import { migrate, type Role, roles, setRolePasswords } from '../../drizzle/migrate.ts';
import { openArena } from './arena.ts';
import { Cast } from './cast.ts';
import { playRound } from './round.ts';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '200' }, seed: { type: 'string', default: '1' } },
});
const [rounds, firstSeed] = [Number(values.rounds), Number(values.seed)];
if (!(Number.isInteger(rounds) && rounds >= 1 && rounds <= 100_000))
  throw new Error('--rounds expects 1 to 100000');
if (!Number.isInteger(firstSeed)) throw new Error('--seed expects a whole number');

const folder = mkdtempSync(join(tmpdir(), 'recoup-chaos-'));
// Postgres may run as another user, who has to get through to its data.
chmodSync(folder, 0o711);
try {
  await using ending = new AsyncDisposableStack();
  const logFile = (name: string) => join(folder, `${name}.log`);
  const password = randomBytes(16).toString('hex');
  const postgres = await startPostgres({
    dataDir: join(folder, 'postgres'),
    logFile: logFile('postgres'),
    password,
  });
  ending.defer(() => postgres.stop());
  const redis = await startRedis({ dataDir: join(folder, 'redis'), logFile: logFile('redis') });
  ending.defer(() => redis.stop());
  await migrate(postgres.url, () => {});
  const passwords = Object.fromEntries(roles.map((role) => [role, randomBytes(16).toString('hex')]));
  await setRolePasswords(postgres.url, passwords as Record<Role, string>);
  const urlFor = (role: Role) =>
    Object.assign(new URL(postgres.url), { username: role, password: passwords[role] }).href;
  const owner = openPool({ url: postgres.url, min: 0, max: 4, applicationName: 'chaos', timeoutMs: 10_000 });
  ending.defer(() => owner.close());
  const arena = await openArena({ db: owner, urlFor, redisUrl: redis.url });
  ending.use(arena);
  const cast = new Cast(arena.env);
  ending.defer(() => cast.killAll());

  for (let n = 0; n < rounds; n++) {
    const seed = firstSeed + n;
    try {
      const { payments, kills, answers } = await playRound(arena, cast, seed);
      const killed = Object.entries(kills).map(([name, count]) => `${name} ${count}`);
      console.log(
        `round ${n + 1} of ${rounds}, seed ${seed}: ${payments} payments once each; killed ${killed.join(', ')}; answers ${JSON.stringify(answers)}`,
      );
    } catch (error) {
      console.error(`seed ${seed} does not hold: ${(error as Error).message}`);
      process.exitCode = 1;
      break;
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
