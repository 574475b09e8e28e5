// Whether the ledger's database is there, which is what its gRPC health tells, and what loans that are watched have got
// from other processes.

import type { Part } from '../run-container.ts';
import type { LedgerServer } from './server.ts';

const lookMs = 500;

export interface ServingOptions {
  check: () => Promise<unknown>;
  look: () => Promise<unknown>;
  server: Pick<LedgerServer, 'setServing' | 'state'>;
  state: () => Record<string, number>;
}

export const serving = ({ check, look, server, state }: ServingOptions): Part => ({
  async step() {
    try {
      await check();
      await look();
      server.setServing(true);
      return 0;
    } catch (error) {
      server.setServing(false);
      throw error;
    }
  },
  idleMs: lookMs,
  heartbeat: ({ condition }) => ({
    healthy: condition === 'running' || condition === 'draining',
    detail: { serving_condition: condition, ...server.state(), ...state() },
  }),
});
