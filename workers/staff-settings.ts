// Settings that the front door and the auth Worker share; the webhooks Worker has no use for them.

import * as z from 'zod/mini';
import { wholeNumber } from '../shared/settings.ts';
import { httpUrl } from './settings.ts';

const httpOrigin = z
  .string()
  .check(
    z.refine(
      (value) => /^https?:/.test(value) && URL.canParse(value) && new URL(value).origin === value,
      'expected origins like https://host',
    ),
  );

export const staffVariables = {
  /** Without it, wherever a request says it was sent to. */
  PUBLIC_URL: z.optional(httpUrl('where browsers reach the front door')),
  USER_RATE_LIMIT_PER_MINUTE: wholeNumber(1_200, 1, 1_000_000),
  KEY_RATE_LIMIT_PER_MINUTE: wholeNumber(6_000, 1, 100_000_000),
  ADDRESS_RATE_LIMIT_PER_MINUTE: wholeNumber(12_000, 1, 100_000_000),
  SIGN_IN_RATE_LIMIT_PER_MINUTE: wholeNumber(120, 1, 1_000_000),
  ALLOWED_ORIGINS: z.pipe(
    z.pipe(
      z._default(z.string(), ''),
      z.transform((list) => list.split(',').flatMap((origin) => origin.trim() || [])),
    ),
    z.array(httpOrigin),
  ),
};

export const staffSettings = (values: {
  PUBLIC_URL?: string | undefined;
  USER_RATE_LIMIT_PER_MINUTE: number;
  KEY_RATE_LIMIT_PER_MINUTE: number;
  ADDRESS_RATE_LIMIT_PER_MINUTE: number;
  SIGN_IN_RATE_LIMIT_PER_MINUTE: number;
  ALLOWED_ORIGINS: string[];
}) => ({
  publicUrl: values.PUBLIC_URL,
  limits: {
    user: values.USER_RATE_LIMIT_PER_MINUTE,
    key: values.KEY_RATE_LIMIT_PER_MINUTE,
    address: values.ADDRESS_RATE_LIMIT_PER_MINUTE,
    signIn: values.SIGN_IN_RATE_LIMIT_PER_MINUTE,
  },
  allowedOrigins: values.ALLOWED_ORIGINS,
});
