// Reads an accepted arrival. What cannot be read is a refusal and never half an arrival: an unknown version or kind, a
// field that is missing or is not what its noun says.

import * as z from 'zod/mini';
import { currencyExponent } from '../money.ts';
import { ok, type Result, refused } from '../result.ts';
import { acceptedVersion } from './accepted-arrival.ts';
import type { Arrival } from './arrival.ts';

const money = z.object({
  amountMinor: z.pipe(
    z.string().check(z.refine((text) => /^\d{1,20}$/.test(text), 'expected digits')),
    z.transform((text: string) => BigInt(text)),
  ),
  currency: z
    .string()
    .check(z.refine((code) => currencyExponent(code) !== undefined, 'expected a known currency')),
});
/** As toISOString writes it, to the letter. */
const isInstant = (text: string) => !Number.isNaN(Date.parse(text)) && new Date(text).toISOString() === text;
const instant = z.pipe(
  z.string().check(z.refine(isInstant, 'expected an instant')),
  z.transform((text: string) => new Date(text)),
);
const identity = { namespace: z.string(), referenceNumber: z.string() };
const origin = { source: z.enum(['webhook', 'staging', 'api', 'sync']), actor: z.string() };

/** How each kind is read; the fields are those of its noun. */
const kinds: { [K in Arrival['kind']]: z.ZodMiniType<Extract<Arrival, { kind: K }>> } = {
  payment: z.object({
    kind: z.literal('payment'),
    payment: z.object({
      ...identity,
      loanAccountNumber: z.string(),
      cif: z.string(),
      amount: money,
      paymentDate: instant,
      paidOn: z.string().check(z.refine((text) => /^\d{4}-\d{2}-\d{2}$/.test(text), 'expected a date')),
      paymentChannel: z.string(),
      metadata: z.string(),
      requiresReceipt: z.boolean(),
      ...origin,
    }),
  }),
  reversal: z.object({
    kind: z.literal('reversal'),
    reversal: z.object({
      ...identity,
      reversalReference: z.string(),
      amount: z.nullable(money),
      reason: z.string(),
      occurredAt: instant,
      ...origin,
    }),
  }),
  failure: z.object({
    kind: z.literal('failure'),
    failure: z.object({
      ...identity,
      failureReference: z.string(),
      loanAccountNumber: z.nullable(z.string()),
      cif: z.nullable(z.string()),
      amount: z.nullable(money),
      reason: z.string(),
      occurredAt: instant,
      paymentChannel: z.string(),
      ...origin,
    }),
  }),
  notice: z.object({
    kind: z.literal('notice'),
    notice: z.object({
      channel: z.string(),
      noticeReference: z.string(),
      subject: z.string(),
      payload: z.string(),
      standing: z.boolean(),
      actor: z.string(),
    }),
  }),
};

/** Refuses with a reason that names fields and never holds a value. */
export function readAcceptedArrival(text: string): Result<Arrival, string> {
  let given: { version?: unknown; kind?: unknown } | null;
  try {
    given = JSON.parse(text);
  } catch {
    return refused('it is not JSON');
  }
  if (typeof given !== 'object' || given === null) return refused('it is not an object');
  if (given.version !== acceptedVersion) return refused('its version is unknown');
  const { kind } = given;
  if (typeof kind !== 'string' || !Object.hasOwn(kinds, kind)) return refused('its kind is unknown');
  const parsed = kinds[kind as Arrival['kind']].safeParse(given);
  if (parsed.success) return ok(parsed.data);
  const fields = new Set(parsed.error.issues.map((issue) => issue.path.join('.')));
  return refused(`not as expected: ${[...fields].join(', ')}`);
}
