// Settings that more than one container reads, as pieces for their own schemas. Everything in an environment is text.

import * as z from 'zod/mini';
import { logLevels } from '../shared/log.ts';

export const text = (what: string) => z.string(`is missing: ${what}`);

export const flag = (byDefault: boolean) =>
  z.pipe(
    z._default(z.enum(['true', 'false'], 'expected true or false'), byDefault ? 'true' : 'false'),
    z.transform((value) => value === 'true'),
  );

export const wholeNumber = (byDefault: number, minimum: number, maximum: number) =>
  z.pipe(
    z._default(
      z
        .string()
        .check(
          z.refine(
            (value) => /^-?\d{1,12}$/.test(value) && +value >= minimum && +value <= maximum,
            `expected a whole number from ${minimum} to ${maximum}`,
          ),
        ),
      String(byDefault),
    ),
    z.transform(Number),
  );

/** A URL of one of the protocols; `example` is what the fault shows instead of the value, which may hold a password. */
export const urlOf = (what: string, protocol: RegExp, example: string) =>
  text(what).check(z.url({ protocol, hostname: /.+/, error: `expected ${example}` }));

export const commonVariables = {
  DATABASE_URL: urlOf('the database', /^postgres(ql)?$/, 'postgresql://user:password@host:port/database'),
  LOG_LEVEL: z._default(z.enum(logLevels, `expected ${logLevels.join(', ')}`), 'info'),
  HEARTBEAT_SECONDS: wholeNumber(5, 1, 3_600),
};
