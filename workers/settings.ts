// Settings that more than one Worker reads, as pieces for their own schemas. Where a setting is a flag it is the
// text `true` or `false`, because Workers get text.

import * as z from 'zod/mini';
import { logLevels } from '../shared/log.ts';

export const text = (what: string) => z.string(`is missing: ${what}`);

const url = (what = 'a URL') => text(what).check(z.refine((value) => URL.canParse(value), 'expected a URL'));

const isPostgresUrl = (value: string) => /^postgres(ql)?:\/\/[^:@/]+:[^@/]+@[^/]+\/.+/.test(value);

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
            (value) => /^\d{1,12}$/.test(value) && +value >= minimum && +value <= maximum,
            `expected ${minimum} to ${maximum}`,
          ),
        ),
      String(byDefault),
    ),
    z.transform(Number),
  );

export const postgresUrl = (what: string) =>
  text(what).check(z.refine(isPostgresUrl, 'expected postgresql://user:password@host/database'));

export const commonVariables = {
  DATABASE_FETCH_ENDPOINT: z.optional(url()),
  UPSTASH_REDIS_REST_URL: url('where Upstash answers'),
  UPSTASH_REDIS_REST_TOKEN: text("Upstash's token").check(
    z.refine((value) => value.length >= 16, 'expected at least 16 characters'),
  ),
  LOG_LEVEL: z._default(z.enum(logLevels, `expected ${logLevels.join(', ')}`), 'info'),
  ENABLE_METRICS: flag(true),
};

export const commonSettings = (values: {
  UPSTASH_REDIS_REST_URL: string;
  UPSTASH_REDIS_REST_TOKEN: string;
  LOG_LEVEL: (typeof logLevels)[number];
  ENABLE_METRICS: boolean;
}) => ({
  redis: { url: values.UPSTASH_REDIS_REST_URL, token: values.UPSTASH_REDIS_REST_TOKEN },
  logLevel: values.LOG_LEVEL,
  metrics: values.ENABLE_METRICS,
});
