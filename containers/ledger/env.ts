// The ledger's settings; .env.example documents each.

import { readFileSync } from 'node:fs';
import * as z from 'zod/mini';
import type { AllocationOrder } from '../../shared/ledger/posting.ts';
import {
  currency,
  parseSettings,
  port,
  postgresUrl,
  redisUrl,
  SettingsFault,
  text,
  timeZone,
  wholeNumber,
} from '../../shared/settings.ts';
import { agreeing, type Contradiction, commonSettings, commonVariables } from '../settings.ts';

const stream = (byDefault: string) =>
  z._default(
    z.string().check(z.refine((name) => /^[\w:.{}-]{1,200}$/.test(name), 'expected a name without spaces')),
    byDefault,
  );
const list = (text: string) => text.split(',').map((one) => one.trim());

/** One or two, so that callers can change theirs while the other still counts. */
const keys = () =>
  z.pipe(
    text('what callers show as `authorization: Bearer ...`, at least 32 characters'),
    z.pipe(
      z.transform(list),
      z
        .array(
          z
            .string()
            .check(z.regex(/^[\x21-\x7e]{32,}$/, 'expected at least 32 visible characters, no spaces')),
        )
        .check(z.maxLength(2, 'expected one key, or two while one replaces the other')),
    ),
  );

const timeOfDay = (byDefault: string) =>
  z.pipe(
    z._default(
      z.string().check(z.regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'expected a time of day, hh:mm')),
      byDefault,
    ),
    z.transform((time) => Number(time.slice(0, 2)) * 60 + Number(time.slice(3))),
  );

const parts = ['fees', 'interest', 'principal'] as const;

/** By product; JSON. */
const orders = () =>
  z.pipe(
    z._default(z.string(), '{}'),
    z.transform((json, context): Record<string, AllocationOrder> => {
      const parsed = orderSchema.safeParse(parseJson(json));
      if (parsed.success) return parsed.data;
      context.issues.push({
        code: 'custom',
        input: undefined,
        message: 'expected {"<product>":["fees","interest","principal"]} as JSON, each of the three once',
      });
      return z.NEVER;
    }),
  );
const orderSchema = z.record(
  z.string(),
  z.array(z.enum(parts)).check(
    z.length(3),
    z.refine((order) => new Set(order).size === 3),
  ),
);
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const fields = {
  ...commonVariables,
  LEDGER_DATABASE_URL: postgresUrl("the ledger's own database"),
  LEDGER_DB_POOL_MAX: wholeNumber(12, 4, 1_000),
  LEDGER_HOST: z._default(z.string(), '127.0.0.1'),
  LEDGER_PORT: port(50_051),
  LEDGER_KEYS: keys(),
  LEDGER_TLS_CERT_FILE: z.optional(z.string()),
  LEDGER_TLS_KEY_FILE: z.optional(z.string()),
  LEDGER_CLIENT_CA_FILE: z.optional(z.string()),
  LEDGER_MESSAGE_KILOBYTES: wholeNumber(256, 4, 4_096),
  LEDGER_MOST_CALLS: wholeNumber(1_000, 1, 100_000),
  LEDGER_MOST_WATCHERS: wholeNumber(500, 0, 10_000),
  LEDGER_MOST_WAITING: wholeNumber(2_000, 1, 100_000),
  LEDGER_BATCH_SIZE: wholeNumber(100, 1, 1_000),
  LEDGER_LANES: wholeNumber(2, 1, 16),
  LEDGER_ALLOCATION: orders(),
  LEDGER_CLOSE_AT: timeOfDay('00:10'),
  LEDGER_EVENT_STREAM: stream('inbox:billie-servicing:internal'),
  LEDGER_OPENING_STREAMS: z.pipe(
    z._default(z.string(), 'inbox:billie-servicing,inbox:billie-servicing:internal'),
    z.transform(list),
  ),
  REDIS_URL: redisUrl('the Redis from which loans are opened, and where the ledger tells'),
  BUSINESS_TIME_ZONE: timeZone(),
  DEFAULT_CURRENCY: currency(),
};
type Fields = z.output<z.ZodMiniObject<typeof fields>>;

const variables = z.object(fields).check(
  agreeing((v: Fields): Contradiction[] => [
    (v.LEDGER_TLS_CERT_FILE === undefined) !== (v.LEDGER_TLS_KEY_FILE === undefined) && [
      'LEDGER_TLS_CERT_FILE',
      'a certificate needs its key, and a key its certificate',
    ],
    v.LEDGER_CLIENT_CA_FILE !== undefined &&
      v.LEDGER_TLS_CERT_FILE === undefined && [
        'LEDGER_CLIENT_CA_FILE',
        'without LEDGER_TLS_CERT_FILE nobody shows a certificate',
      ],
    // One for each lane; the others are of reads, loops and those who watch.
    typeof v.LEDGER_LANES === 'number' &&
      v.LEDGER_DB_POOL_MAX < v.LEDGER_LANES + 3 && [
        'LEDGER_DB_POOL_MAX',
        `expected at least ${v.LEDGER_LANES + 3} for these lanes`,
      ],
  ]),
);

/** Throws SettingsFault. */
export function readLedgerSettings(env: Record<string, unknown>) {
  const v = parseSettings('ledger', variables, env);
  const pem = (name: 'LEDGER_TLS_CERT_FILE' | 'LEDGER_TLS_KEY_FILE' | 'LEDGER_CLIENT_CA_FILE') =>
    readPem(name, v[name]);
  return {
    ...commonSettings(v),
    ledgerDatabase: { url: v.LEDGER_DATABASE_URL, min: 1, max: v.LEDGER_DB_POOL_MAX },
    listen: {
      host: v.LEDGER_HOST,
      port: v.LEDGER_PORT,
      keys: v.LEDGER_KEYS,
      /** Undefined: in the clear; TLS is the network's. */
      tls:
        v.LEDGER_TLS_CERT_FILE === undefined
          ? undefined
          : {
              certificate: pem('LEDGER_TLS_CERT_FILE') as Buffer,
              key: pem('LEDGER_TLS_KEY_FILE') as Buffer,
              /** Callers must show a certificate of one of these. */
              clientCa: pem('LEDGER_CLIENT_CA_FILE'),
            },
      messageBytes: v.LEDGER_MESSAGE_KILOBYTES * 1_024,
      mostCalls: v.LEDGER_MOST_CALLS,
    },
    mostWatchers: v.LEDGER_MOST_WATCHERS,
    batches: { largestBatch: v.LEDGER_BATCH_SIZE, mostWaiting: v.LEDGER_MOST_WAITING, lanes: v.LEDGER_LANES },
    /** Minutes after midnight in the business zone. */
    closeAtMinutes: v.LEDGER_CLOSE_AT,
    redisUrl: v.REDIS_URL,
    eventStream: v.LEDGER_EVENT_STREAM,
    openingStreams: v.LEDGER_OPENING_STREAMS,
    /** In which a repayment is allocated, by product. */
    orders: v.LEDGER_ALLOCATION,
    /** The currency is that of events that name none. */
    business: { timeZone: v.BUSINESS_TIME_ZONE, currency: v.DEFAULT_CURRENCY },
  };
}

function readPem(name: string, path: string | undefined): Buffer | undefined {
  if (path === undefined) return undefined;
  try {
    const pem = readFileSync(path);
    if (pem.includes('-----BEGIN ')) return pem;
  } catch {
    // Told like a file of something else.
  }
  throw new SettingsFault('ledger', [`${name}: expected a file in PEM`]);
}
