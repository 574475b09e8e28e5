// The secrets of a local installation: made once, kept in .recoup/secrets.json (mode 600), so that data and senders
// of yesterday still fit today. Production never reads this file.

import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Role, roles } from '../../drizzle/migrate.ts';
import { type Channel, schemeOf } from '../../shared/payments/channel.ts';
import { newSignInKey } from '../../workers/auth/sign-in-keys.ts';

export interface LocalSecrets {
  postgres: string;
  redis: string;
  upstashToken: string;
  /** Of the Redis that keeps accepted payments. */
  accepted: { redis: string; token: string };
  roles: Record<Role, string>;
  /** What callers show the ledger, and its gateway. */
  ledger: { key: string; gatewayKey: string };
  /** By the environment variable that carries it. */
  channels: Record<string, string>;
  apiKey: string | undefined;
  /** As ARCHIVE_MASTER_KEYS: without them what names people in the archive is lost. */
  archiveMasterKeys: string;
  /** As SIGN_IN_KEYS: without them second factors are lost. */
  signInKeys: string;
  /** As TOKEN_KEYS; made at the first start. */
  tokenKeys: string | undefined;
  /** Passwords of the people who were made at the first start, by user name. */
  staff: Record<string, string>;
}

const random = () => randomBytes(24).toString('hex');

export function readSecrets(file: string): LocalSecrets {
  const kept: Partial<LocalSecrets> = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  return {
    postgres: kept.postgres ?? random(),
    redis: kept.redis ?? random(),
    upstashToken: kept.upstashToken ?? random(),
    accepted: kept.accepted ?? { redis: random(), token: random() },
    roles: Object.fromEntries(roles.map((role) => [role, kept.roles?.[role] ?? random()])) as Record<
      Role,
      string
    >,
    ledger: kept.ledger ?? { key: random(), gatewayKey: random() },
    channels: kept.channels ?? {},
    apiKey: kept.apiKey,
    tokenKeys: kept.tokenKeys,
    staff: kept.staff ?? {},
    signInKeys: kept.signInKeys ?? newSignInKey('local'),
    archiveMasterKeys: kept.archiveMasterKeys ?? `local:${randomBytes(32).toString('base64')}`,
  };
}

export function saveSecrets(file: string, secrets: LocalSecrets): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600 });
}

/** A new secret in the form its channel's scheme wants; none where the provider has the key. */
export const newChannelSecret = (channel: Pick<Channel, 'scheme'>): string | undefined =>
  schemeOf(channel).secret?.of(randomBytes(32));
