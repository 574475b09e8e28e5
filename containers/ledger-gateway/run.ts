// The gateway's life: listens, passes calls on to the ledger, and looks how the ledger is, until the signal.

import { openLedgerClient } from '../ledger-client.ts';
import { listen } from '../listen.ts';
import { runStateless } from '../run-container.ts';
import { createGateway } from './app.ts';
import { readLedgerGatewaySettings } from './env.ts';
import { watchHealth } from './health.ts';

const lookMs = 1_000;

/** Throws SettingsFault. */
export function run(env: Record<string, string | undefined>, signal: AbortSignal) {
  const settings = readLedgerGatewaySettings(env);
  const { host, port, keys, limits } = settings;
  return runStateless('ledger-gateway', settings, env, signal, async ({ log, signal: stopping }) => {
    const ledger = openLedgerClient(settings.ledger);
    const health = watchHealth(ledger);
    const { app, state } = createGateway({ ledger, health, keys, limits, stopping, log });
    const listener = await listen(app, host, port);
    let said: string | undefined;
    return {
      about: { port, services: settings.ledger.services.join() },
      parts: {
        ledger_gateway: {
          // Looking also finds a ledger again that had been out of reach.
          step: async () => {
            const { status, ledger: found, breaker } = await health();
            if (said !== status)
              log[status === 'up' ? 'info' : 'warn']('ledger_seen', { status, ledger: found, breaker });
            said = status;
            return 0;
          },
          idleMs: lookMs,
          heartbeat: () => ({ healthy: said === 'up', detail: { breaker: ledger.breaker, ...state() } }),
        },
      },
      ended: () => listener.drain(),
      close: async () => ledger.close(),
    };
  });
}
