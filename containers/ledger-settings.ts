// How the ledger is reached: settings of every container that asks it.

import * as z from 'zod/mini';
import { flag, text, wholeNumber } from '../shared/settings.ts';
import { type Contradiction, pem } from './settings.ts';

/** accounting_ledger.proto and loan_ledger.proto; a ledger that is not ours may serve the first alone. */
const services = ['accounting', 'loans'] as const;
export type LedgerServiceName = (typeof services)[number];

const address = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\]):\d{1,5}$/;

export const ledgerVariables = {
  LEDGER_SERVICE_URL: text('where the ledger answers').check(
    z.refine((value) => address.test(value), 'expected host:port'),
  ),
  LEDGER_SERVICES: z.pipe(
    z._default(
      z.enum(['accounting', 'accounting,loans'], 'expected accounting or accounting,loans'),
      'accounting,loans',
    ),
    z.transform((list) => list.split(',') as LedgerServiceName[]),
  ),
  LEDGER_SERVICE_KEY: z.optional(
    z.string().check(z.regex(/^[\x21-\x7e]{16,512}$/, 'expected at least 16 characters without spaces')),
  ),
  LEDGER_SERVICE_TLS: flag(false),
  LEDGER_SERVICE_CA: z.optional(pem('CERTIFICATE')),
  LEDGER_SERVICE_CERTIFICATE: z.optional(pem('CERTIFICATE')),
  LEDGER_SERVICE_CERTIFICATE_KEY: z.optional(pem('PRIVATE KEY')),
  LEDGER_SERVICE_TIMEOUT_MS: wholeNumber(5_000, 50, 120_000),
  LEDGER_SERVICE_ATTEMPTS: wholeNumber(3, 1, 10),
  LEDGER_SERVICE_BREAKER_FAULTS: wholeNumber(5, 1, 1_000),
  LEDGER_SERVICE_PROBE_MS: wholeNumber(1_000, 10, 60_000),
  LEDGER_SERVICE_MESSAGE_KILOBYTES: wholeNumber(4_096, 1, 65_536),
};
type Variables = z.output<z.ZodMiniObject<typeof ledgerVariables>>;

/** What is wrong between settings that are right one by one. */
export function ledgerContradictions(v: Variables): Contradiction[] {
  const needsTls = ['LEDGER_SERVICE_CA', 'LEDGER_SERVICE_CERTIFICATE'] as const;
  const [own, ownKey] = ['LEDGER_SERVICE_CERTIFICATE', 'LEDGER_SERVICE_CERTIFICATE_KEY'] as const;
  return [
    ...needsTls.map(
      (name): Contradiction =>
        v[name] !== undefined &&
        !v.LEDGER_SERVICE_TLS && [name, 'has no effect unless LEDGER_SERVICE_TLS is true'],
    ),
    v[own] !== undefined && v[ownKey] === undefined && [ownKey, `is missing beside ${own}`],
    v[own] === undefined && v[ownKey] !== undefined && [own, `is missing beside ${ownKey}`],
  ];
}

export const ledgerSettings = (v: Variables) => ({
  address: v.LEDGER_SERVICE_URL,
  services: v.LEDGER_SERVICES,
  key: v.LEDGER_SERVICE_KEY,
  tls: v.LEDGER_SERVICE_TLS
    ? {
        ca: v.LEDGER_SERVICE_CA,
        certificate: v.LEDGER_SERVICE_CERTIFICATE,
        certificateKey: v.LEDGER_SERVICE_CERTIFICATE_KEY,
      }
    : undefined,
  /** Of a call, all its attempts together. */
  timeoutMs: v.LEDGER_SERVICE_TIMEOUT_MS,
  attempts: v.LEDGER_SERVICE_ATTEMPTS,
  breaker: { faults: v.LEDGER_SERVICE_BREAKER_FAULTS, probeEveryMs: v.LEDGER_SERVICE_PROBE_MS },
  maxMessageBytes: v.LEDGER_SERVICE_MESSAGE_KILOBYTES * 1_024,
});
export type LedgerConnection = ReturnType<typeof ledgerSettings>;
