// The gateway's settings; .env.example documents each.

import * as z from 'zod/mini';
import { parseSettings, port, text, wholeNumber } from '../../shared/settings.ts';
import { ledgerContradictions, ledgerSettings, ledgerVariables } from '../ledger-settings.ts';
import { agreeing, statelessSettings, statelessVariables } from '../settings.ts';

/** One or two, so that callers can change theirs while the other still counts. */
const keys = z.pipe(
  text('what callers show as `authorization: Bearer ...`, at least 32 characters'),
  z.pipe(
    z.transform((list: string) => list.split(',').map((key) => key.trim())),
    z
      .array(
        z.string().check(z.regex(/^[\x21-\x7e]{32,512}$/, 'expected at least 32 characters without spaces')),
      )
      .check(z.maxLength(2, 'expected one key, or two while one replaces the other')),
  ),
);

const variables = z
  .object({
    ...statelessVariables,
    ...ledgerVariables,
    LEDGER_GATEWAY_HOST: z._default(z.string(), '127.0.0.1'),
    LEDGER_GATEWAY_PORT: port(8791),
    LEDGER_GATEWAY_KEYS: keys,
    LEDGER_GATEWAY_BODY_KILOBYTES: wholeNumber(64, 1, 65_536),
    LEDGER_GATEWAY_MOST_CALLS: wholeNumber(200, 1, 100_000),
    LEDGER_GATEWAY_MOST_STREAMS: wholeNumber(500, 0, 100_000),
    LEDGER_GATEWAY_STREAM_HEARTBEAT_MS: wholeNumber(5_000, 50, 60_000),
    LEDGER_GATEWAY_SLOW_READER_MS: wholeNumber(30_000, 50, 600_000),
  })
  .check(agreeing(ledgerContradictions));

/** Throws SettingsFault. */
export function readLedgerGatewaySettings(env: Record<string, unknown>) {
  const v = parseSettings('ledger-gateway', variables, env);
  return {
    ...statelessSettings(v),
    ledger: ledgerSettings(v),
    host: v.LEDGER_GATEWAY_HOST,
    port: v.LEDGER_GATEWAY_PORT,
    keys: v.LEDGER_GATEWAY_KEYS,
    limits: {
      bodyBytes: v.LEDGER_GATEWAY_BODY_KILOBYTES * 1_024,
      calls: v.LEDGER_GATEWAY_MOST_CALLS,
      streams: v.LEDGER_GATEWAY_MOST_STREAMS,
      heartbeatMs: v.LEDGER_GATEWAY_STREAM_HEARTBEAT_MS,
      slowReaderMs: v.LEDGER_GATEWAY_SLOW_READER_MS,
    },
  };
}
export type GatewayLimits = ReturnType<typeof readLedgerGatewaySettings>['limits'];
