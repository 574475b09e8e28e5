// A session that is to be opened.

import type { Person } from './caller.ts';

export interface NewSession {
  userId: string;
  kind: Person['session']['kind'];
  method: Person['source'];
  /** What the client calls itself. */
  device: string;
  address: string | null;
  idleSeconds: number;
  lifetimeSeconds: number;
}
