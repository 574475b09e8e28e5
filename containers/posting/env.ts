// Posting's settings; .env.example documents each.

import * as z from 'zod/mini';
import { parseSettings, timeZone, wholeNumber } from '../../shared/settings.ts';
import { ledgerContradictions, ledgerSettings, ledgerVariables } from '../ledger-settings.ts';
import { agreeing, type Contradiction, commonSettings, commonVariables } from '../settings.ts';

const fields = {
  ...commonVariables,
  ...ledgerVariables,
  BUSINESS_TIME_ZONE: timeZone(),
  POSTING_INTERVAL_MS: wholeNumber(50, 1, 60_000),
  POSTING_BATCH_SIZE: wholeNumber(100, 1, 1_000),
};

/** While the ledger is asked a transaction is open, and Postgres ends one that is quiet for half a minute. */
const longestTimeoutMs = 20_000;

const contradictions = (v: z.output<z.ZodMiniObject<typeof fields>>): Contradiction[] => [
  ...ledgerContradictions(v),
  v.LEDGER_SERVICE_TIMEOUT_MS > longestTimeoutMs && [
    'LEDGER_SERVICE_TIMEOUT_MS',
    `is more than ${longestTimeoutMs} here`,
  ],
];

const variables = z.object(fields).check(agreeing(contradictions));

/** Throws SettingsFault. */
export function readPostingSettings(env: Record<string, unknown>) {
  const v = parseSettings('posting', variables, env);
  return {
    ...commonSettings(v),
    ledger: ledgerSettings(v),
    timeZone: v.BUSINESS_TIME_ZONE,
    idleMs: v.POSTING_INTERVAL_MS,
    batchSize: v.POSTING_BATCH_SIZE,
  };
}
