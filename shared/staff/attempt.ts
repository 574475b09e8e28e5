// What an attempt to sign in is tried against, and what comes of it.

import type { Person } from './caller.ts';

/** What attempts are counted under: keyed hashes, hex. */
export interface AttemptKeys {
  device: string;
  nameAndAddress: string;
  address: string;
  name: string;
}

/** A session as the database opens it. */
export interface SessionOf {
  kind: Person['session']['kind'];
  /** What the client calls itself. */
  device: string;
  address: string | null;
  idleSeconds: number;
  lifetimeSeconds: number;
  /** How many one person may have; the oldest end. */
  most: number;
}

export interface ListedSession {
  id: string;
  kind: Person['session']['kind'];
  method: Person['source'];
  device: string;
  address: string | null;
  createdAt: Date;
  lastUsedAt: Date;
  expiresAt: Date;
}

/** An attempt that is counted, and what it is tried against; nulls for somebody unknown. */
export interface Attempted {
  userId: string | null;
  username: string | null;
  source: Person['source'] | null;
  hash: string | null;
  totp: { secret: string; lastStep: number } | undefined;
  knownDevice: boolean;
}
