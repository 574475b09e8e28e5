// Settings that every container reads, and what is wrong between settings that are right one by one.

import { readFileSync } from 'node:fs';
import * as z from 'zod/mini';
import { logLevel, optionalWholeNumber, postgresUrl, wholeNumber } from '../shared/settings.ts';

/** Of a container without a database. */
export const statelessVariables = {
  LOG_LEVEL: logLevel(),
  // Health takes 30 seconds of silence for death.
  HEARTBEAT_SECONDS: wholeNumber(5, 1, 10),
  PROBE_PORT: optionalWholeNumber(1, 65_535),
};
type Stateless = z.output<z.ZodMiniObject<typeof statelessVariables>>;

export const commonVariables = {
  DATABASE_URL: postgresUrl('the database'),
  DB_POOL_MIN: wholeNumber(1, 0, 1_000),
  // At least one for the work and one for the heartbeat.
  DB_POOL_MAX: wholeNumber(4, 2, 1_000),
  ...statelessVariables,
};
type Common = z.output<z.ZodMiniObject<typeof commonVariables>>;

export const statelessSettings = (v: Stateless) => ({
  logLevel: v.LOG_LEVEL,
  heartbeatMs: v.HEARTBEAT_SECONDS * 1_000,
  probePort: v.PROBE_PORT,
});

export const commonSettings = (v: Common) => ({
  ...statelessSettings(v),
  database: { url: v.DATABASE_URL, min: v.DB_POOL_MIN, max: v.DB_POOL_MAX },
});

/** The name of a setting and what is wrong with it beside the others; false for nothing. */
export type Contradiction = false | [name: string, message: string];

/** A check of a container's settings against each other. It also runs when single ones are wrong: one start shows all. */
export const agreeing = <Values extends object>(
  contradictions: (values: Values) => Contradiction[] = () => [],
) =>
  z.superRefine(
    (values: Values, context) => {
      const { DB_POOL_MIN = 0, DB_POOL_MAX = DB_POOL_MIN } = values as Partial<Common>;
      const poolFault: Contradiction = DB_POOL_MIN > DB_POOL_MAX && [
        'DB_POOL_MIN',
        'is more than DB_POOL_MAX',
      ];
      for (const found of [poolFault, ...contradictions(values)]) {
        if (found)
          context.issues.push({ code: 'custom', input: undefined, path: [found[0]], message: found[1] });
      }
    },
    { when: () => true },
  );

/** PEM text, whose line ends may be \n, or a file with it; `kind` is what it has to hold. */
export const pem = (kind: 'CERTIFICATE' | 'PRIVATE KEY') =>
  z.pipe(
    z.string(),
    z.transform((given, context) => {
      if (given.startsWith('-----BEGIN ')) return given.replaceAll('\\n', '\n');
      try {
        const text = readFileSync(given, 'utf8');
        if (text.includes(`${kind}-----`)) return text;
      } catch {
        // Told like a file of something else.
      }
      context.issues.push({
        code: 'custom',
        input: given,
        message: 'expected a PEM text or a readable file',
      });
      return z.NEVER;
    }),
  );
