// The ledger's life: answers over gRPC, and beside that opens loans, tells, seals and closes days, until the signal.

import { openPool } from '../database.ts';
import { runContainer } from '../run-container.ts';
import { closing } from './closing.ts';
import { readLedgerSettings } from './env.ts';
import { openEventStream } from './event-stream.ts';
import { openLedger } from './ledger.ts';
import { opening } from './opening.ts';
import { sealing } from './sealing.ts';
import { serveLedger } from './server.ts';
import { serving } from './serving.ts';
import { telling } from './telling.ts';

const statementTimeoutMs = 10_000;
const drainMs = 15_000;

/** Throws SettingsFault. */
export function run(env: Record<string, string | undefined>, signal: AbortSignal) {
  const settings = readLedgerSettings(env);
  const { business, batches } = settings;
  return runContainer('ledger', settings, env, signal, async ({ log, instance, signal: stopping }) => {
    const pool = { ...settings.ledgerDatabase, applicationName: 'ledger', timeoutMs: statementTimeoutMs };
    const db = openPool(pool);
    const ledger = openLedger({ db, timeZone: business.timeZone, ...settings });
    const server = await serveLedger(settings.listen, ledger.methods, log);
    // It begins when the signal comes, and not when the loops have ended.
    const drained = new Promise<void>((resolve, reject) => {
      stopping.addEventListener('abort', () => {
        const draining = server.drain(drainMs);
        draining.then((well) => (well ? resolve() : reject(new Error('calls were left'))));
      });
    });
    drained.catch(() => {});

    const stream = openEventStream(settings.redisUrl, settings.eventStream);
    const loans = opening({
      url: settings.redisUrl,
      streams: settings.openingStreams,
      consumer: instance,
      business,
      submit: ledger.submit,
      setSchedule: ledger.setSchedule,
      db,
      log,
    });
    return {
      about: { port: server.port, lanes: batches.lanes, batch_size: batches.largestBatch },
      parts: {
        serving: serving({
          check: () => db.query('select'),
          look: ledger.look,
          server,
          state: () => ({ ...ledger.state(), ledger_pool_waiting: db.stats().pool_waiting }),
        }),
        opening: loans.part,
        telling: telling(db, stream, log),
        sealing: sealing(db),
        closing: closing({
          db,
          timeZone: business.timeZone,
          closeAtMinutes: settings.closeAtMinutes,
          now: () => new Date(),
          log,
        }),
      },
      ended: () => drained,
      close: () => Promise.all([db.close(), stream.close(), loans.close()]),
    };
  });
}
