// .recoup/running.json: what a script needs to talk to the system that `npm start` runs here. Mode 600, it holds
// secrets; it is there only while the system runs.

import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ChannelConfiguration } from '../shared/payments/channel.ts';
import { stateFolder } from './stack/settings.ts';

export interface Running {
  pid: number;
  urls: { api: string; webhooks: string; auth: string };
  /** The owner's, not a role's. */
  databaseUrl: string;
  /** The same for the ledger's database, where a ledger of ours runs. */
  ledgerDatabaseUrl?: string;
  redisUrl: string;
  /** Where payments wait that were accepted while the database was away. */
  acceptedRedisUrl: string;
  kafkaBrokers: string | null;
  /** Configuration and current secret of every channel, by name. */
  channels: Record<string, ChannelConfiguration & { secret: string; url: string }>;
  /** A key with every permission. */
  apiKey: string;
  /** Passwords of the people who were made at the first start, by user name. */
  staff: Record<string, string>;
  /** What the projector was given as ARCHIVE_MASTER_KEYS. */
  archiveMasterKeys: string;
}

const runningFile = () => join(stateFolder(), 'running.json');

export const writeRunning = (running: Running): void =>
  writeFileSync(runningFile(), `${JSON.stringify(running, null, 2)}\n`, { mode: 0o600 });

export const forgetRunning = (): void => rmSync(runningFile(), { force: true });

/** Throws a readable error when nothing runs here. */
export function readRunning(): Running {
  if (!existsSync(runningFile()))
    throw new Error('Recoup does not run in this checkout: start it with `npm start`');
  return JSON.parse(readFileSync(runningFile(), 'utf8'));
}
