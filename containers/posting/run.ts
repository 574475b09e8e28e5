// Posting's life: reaches the ledger, posts until the signal, finishes the batch in progress, closes.

import { openLedgerClient } from '../ledger-client.ts';
import { runContainer } from '../run-container.ts';
import { readPostingSettings } from './env.ts';
import { ledgerOver } from './ledger.ts';
import { posting } from './posting.ts';

/** Throws SettingsFault. */
export function run(env: Record<string, string | undefined>, signal: AbortSignal) {
  const settings = readPostingSettings(env);
  return runContainer('posting', settings, env, signal, ({ db, log }) => {
    const client = openLedgerClient(settings.ledger);
    const parts = posting({
      db,
      ledger: ledgerOver(client, settings.ledger.services),
      timeZone: settings.timeZone,
      batchSize: settings.batchSize,
      idleMs: settings.idleMs,
      checkEveryMs: Math.min(settings.heartbeatMs, 5_000),
      onUndeliverable: ({ eventId, reason }) =>
        log.error('message_undeliverable', { event_id: eventId, reason }),
    });
    return {
      about: { ledger_services: settings.ledger.services.join(','), batch_size: settings.batchSize },
      parts,
      close: async () => client.close(),
    };
  });
}
