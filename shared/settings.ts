// Settings come from the environment, once, at the start of a process. Every fault is listed at once, by name,
// and never with the value (it may be a secret).

import * as z from 'zod/mini';
import { isTimeZone } from './calendar-date.ts';
import { logLevels } from './log.ts';
import { currencyExponent } from './money.ts';

export class SettingsFault extends Error {
  override readonly name = 'SettingsFault';
  readonly faults: readonly string[];
  constructor(process: string, faults: readonly string[]) {
    super(`${process} cannot start, its settings need attention:\n${faults.map((f) => `  ${f}`).join('\n')}`);
    this.faults = faults;
  }
}

/** Empty strings count as absent, so that `NAME=` in an env file means the default. */
export function parseSettings<S extends z.ZodMiniType>(
  process: string,
  schema: S,
  env: Record<string, unknown>,
) {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data as z.output<S>;
  throw new SettingsFault(
    process,
    parsed.error.issues.map((i) => `${i.path.join('.') || 'settings'}: ${i.message}`),
  );
}

// Pieces for the schemas. Everything in an environment is text.

export const text = (what: string) => z.string(`is missing: ${what}`);

export const flag = (byDefault: boolean) =>
  z.pipe(
    z._default(z.enum(['true', 'false'], 'expected true or false'), byDefault ? 'true' : 'false'),
    z.transform((value) => value === 'true'),
  );

const digits = (minimum: number, maximum: number) =>
  z
    .string(`is missing: a whole number from ${minimum} to ${maximum}`)
    .check(
      z.refine(
        (value) => /^-?\d{1,12}$/.test(value) && +value >= minimum && +value <= maximum,
        `expected a whole number from ${minimum} to ${maximum}`,
      ),
    );

export const wholeNumber = (byDefault: number, minimum: number, maximum: number) =>
  z.pipe(z._default(digits(minimum, maximum), String(byDefault)), z.transform(Number));

export const optionalWholeNumber = (minimum: number, maximum: number) =>
  z.optional(z.pipe(digits(minimum, maximum), z.transform(Number)));

export const port = (byDefault: number) => wholeNumber(byDefault, 1, 65_535);
export const requiredPort = () => z.pipe(digits(1, 65_535), z.transform(Number));

/** A URL of one of the protocols; `example` is shown instead of the value, which may hold a password. */
export const url = (what: string, protocols: readonly string[], example: string) =>
  text(what).check(
    z.refine((value) => {
      const { protocol, hostname } = URL.canParse(value) ? new URL(value) : { protocol: '', hostname: '' };
      return protocols.includes(protocol.slice(0, -1)) && hostname !== '';
    }, `expected ${example}`),
  );

export const postgresUrl = (what: string) =>
  url(what, ['postgres', 'postgresql'], 'postgresql://user:password@host:port/database');
export const redisUrl = (what: string) =>
  url(what, ['redis', 'rediss'], 'redis://user:password@host:port, or rediss:// for TLS');

export const logLevel = () => z._default(z.enum(logLevels, `expected ${logLevels.join(', ')}`), 'info');

/** The webhooks Worker writes it and the drain reads it, so its name is said once. */
export const acceptedStream = () =>
  z._default(
    z.string().check(z.refine((name) => /^[\w:.{}-]{1,200}$/.test(name), 'expected a name without spaces')),
    'accepted:payments',
  );

/** The business zone: every process that reads times without offset must be told the same one. */
export const timeZone = () =>
  z._default(z.string().check(z.refine(isTimeZone, 'expected an IANA time zone')), 'UTC');

/** Of amounts that come without one. */
export const currency = () =>
  z._default(
    z.string().check(z.refine((code) => currencyExponent(code) !== undefined, 'expected an ISO 4217 code')),
    'EUR',
  );
