// `npm run chaos:projector -- --rounds 200 --seed 1`: as many rounds of kill -9 among two projectors as told, on servers
// of its own. Stops at the first round that does not hold, says its seed and exits 1.

import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Cast } from './cast.ts';
import { openProjectorArena, projectors } from './projector-arena.ts';
import { playProjectorRound } from './projector-round.ts';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '200' }, seed: { type: 'string', default: '1' } },
});
const [rounds, firstSeed] = [Number(values.rounds), Number(values.seed)];
if (!(Number.isInteger(rounds) && rounds >= 1 && rounds <= 100_000))
  throw new Error('--rounds expects 1 to 100000');
if (!(Number.isInteger(firstSeed) && firstSeed >= 0)) throw new Error('--seed expects a whole number');

const folder = mkdtempSync(join(tmpdir(), 'recoup-chaos-'));
// Postgres may run as another user, who has to get through to its data.
chmodSync(folder, 0o711);
try {
  await using ending = new AsyncDisposableStack();
  const arena = ending.use(await openProjectorArena(folder));
  const cast = new Cast(arena.env, () => 'projector');
  ending.defer(() => cast.killAll());

  for (let n = 0; n < rounds; n++) {
    const seed = firstSeed + n;
    try {
      const { kind, events, entries, kills, folded } = await playProjectorRound(arena, cast, seed);
      const each = (counts: typeof kills) => projectors.map((name) => `${name} ${counts[name]}`).join(', ');
      console.log(
        `round ${n + 1} of ${rounds}, seed ${seed}, ${kind}: ${events} events of ${entries} entries folded once each; ` +
          `killed ${each(kills)}; folded by ${each(folded)}, and the rest by those who were killed`,
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
