// Settings that every Worker reads.

import * as z from 'zod/mini';
import type { TransactionalDatabase } from '../shared/database.ts';
import type { LogLevel } from '../shared/log.ts';
import { flag, logLevel, text, url } from '../shared/settings.ts';

export const httpUrl = (what: string) => url(what, ['http', 'https'], 'https://host');

export const restToken = (what: string) =>
  text(what).check(z.refine((value) => value.length >= 16, 'expected at least 16 characters'));

/** An object that a runtime binds, told by one of its methods. */
export const binding = <T>(method: keyof T & string) =>
  z.optional(
    z.custom<T>((value) => typeof (value as T | undefined)?.[method] === 'function', 'is no binding'),
  );

/** Bindings that every Worker may have; they are objects and no variables. */
export const commonBindings = {
  /** A way to Postgres over sockets, where there are any; Neon's driver is left alone then. */
  POSTGRES: binding<TransactionalDatabase>('transaction'),
};

export const commonVariables = {
  DATABASE_FETCH_ENDPOINT: z.optional(httpUrl("where Neon's HTTP protocol is spoken")),
  UPSTASH_REDIS_REST_URL: httpUrl('where Upstash answers'),
  UPSTASH_REDIS_REST_TOKEN: restToken("Upstash's token"),
  LOG_LEVEL: logLevel(),
  ENABLE_METRICS: flag(true),
};

export const commonSettings = (values: {
  UPSTASH_REDIS_REST_URL: string;
  UPSTASH_REDIS_REST_TOKEN: string;
  LOG_LEVEL: LogLevel;
  ENABLE_METRICS: boolean;
}) => ({
  redis: { url: values.UPSTASH_REDIS_REST_URL, token: values.UPSTASH_REDIS_REST_TOKEN },
  logLevel: values.LOG_LEVEL,
  metrics: values.ENABLE_METRICS,
});
