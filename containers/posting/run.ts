// Posting's life: reaches the ledger, posts until the signal, finishes the batch in progress, closes.

import type { Undeliverable } from '../../shared/outbox/message.ts';
import { openLedgerClient } from '../ledger-client.ts';
import { readContract } from '../ledger-contract.ts';
import { runContainer } from '../run-container.ts';
import { readPostingSettings } from './env.ts';
import { ledgerOver } from './ledger.ts';
import { posting } from './posting.ts';
import { executing, executingOver } from './requests.ts';

/** Throws SettingsFault. */
export function run(env: Record<string, string | undefined>, signal: AbortSignal) {
  const settings = readPostingSettings(env);
  return runContainer('posting', settings, env, signal, ({ db, log }) => {
    const client = openLedgerClient(settings.ledger);
    const common = {
      db,
      idleMs: settings.idleMs,
      onUndeliverable: ({ eventId, reason }: Undeliverable) =>
        log.error('message_undeliverable', { event_id: eventId, reason }),
    };
    const parts = posting({
      ...common,
      ledger: ledgerOver(client, settings.ledger.services),
      timeZone: settings.timeZone,
      batchSize: settings.batchSize,
      checkEveryMs: Math.min(settings.heartbeatMs, 5_000),
    });
    const requests = executing({ ...common, ledger: executingOver(client, readContract()) });
    return {
      about: { ledger_services: settings.ledger.services.join(','), batch_size: settings.batchSize },
      parts: { ...parts, requests },
      close: async () => client.close(),
    };
  });
}
