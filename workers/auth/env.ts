// The auth Worker's settings; .env.example documents each.

import * as z from 'zod/mini';
import { parseSettings, postgresUrl, SettingsFault, wholeNumber } from '../../shared/settings.ts';
import { directoryKey } from '../../shared/staff/directory.ts';
import { groupRolesSetting } from '../../shared/staff/group-roles.ts';
import type { Scrypt } from '../../shared/staff/password-hash.ts';
import { commonBindings, commonSettings, commonVariables, httpUrl } from '../settings.ts';
import { staffSettings, staffVariables } from '../staff-settings.ts';
import { oidcSettings, oidcVariables } from './oidc/settings.ts';
import { scryptHere } from './scrypt.ts';
import { signInKeysSetting } from './sign-in-keys.ts';
import { tokenKeysSetting } from './token-keys.ts';

const timeoutMs = 5_000;
const minute = 60;
const hour = 60 * minute;
const day = 24 * hour;

const variables = z.object({
  ...commonVariables,
  ...staffVariables,
  DATABASE_URL: postgresUrl('the database, as role recoup_auth'),
  TOKEN_KEYS: tokenKeysSetting,
  SIGN_IN_KEYS: signInKeysSetting,
  PASSWORD_MIN_LENGTH: wholeNumber(12, 8, 64),
  SESSION_IDLE_MINUTES: wholeNumber(60, 1, 1_440),
  SESSION_MAX_HOURS: wholeNumber(12, 1, 720),
  CLIENT_SESSION_IDLE_HOURS: wholeNumber(72, 1, 8_760),
  CLIENT_SESSION_MAX_DAYS: wholeNumber(30, 1, 366),
  SESSIONS_PER_PERSON: wholeNumber(10, 1, 100_000),
  API_KEY_MAX_DAYS: wholeNumber(365, 0, 3_650),
  GROUP_ROLES: groupRolesSetting(),
  ...oidcVariables,
  DIRECTORY_URL: z.optional(httpUrl('where the container of the directory answers')),
  DIRECTORY_KEY: z.optional(directoryKey()),
});

/** The names this Worker reads. */
export const authVariables: readonly string[] = Object.keys(variables.shape);

const bindings = {
  ...commonBindings,
  /** Where the runtime computes scrypt beside the requests. */
  SCRYPT: z.optional(z.custom<Scrypt>((value) => typeof value === 'function', 'is no function')),
};

export function readAuthSettings(env: Record<string, unknown>) {
  const values = parseSettings('auth', z.object({ ...variables.shape, ...bindings }), env);
  const { DIRECTORY_URL: directoryUrl, DIRECTORY_KEY: key } = values;
  if (directoryUrl && !key) throw new SettingsFault('auth', ['DIRECTORY_KEY: is missing beside its URL']);
  return {
    ...commonSettings(values),
    ...staffSettings(values),
    database: {
      url: values.DATABASE_URL,
      fetchEndpoint: values.DATABASE_FETCH_ENDPOINT,
      bound: values.POSTGRES,
      timeoutMs,
    },
    tokens: values.TOKEN_KEYS,
    tokenKeys: values.TOKEN_KEYS.verify,
    signInKeys: values.SIGN_IN_KEYS,
    scrypt: values.SCRYPT ?? scryptHere,
    passwordMinimum: values.PASSWORD_MIN_LENGTH,
    keyMaxDays: values.API_KEY_MAX_DAYS,
    /** Undefined: nobody signs in at a provider. */
    oidc: oidcSettings(values),
    /** Undefined: whoever has no password here has none. */
    directory: directoryUrl && key ? { url: directoryUrl, key } : undefined,
    groupRoles: values.GROUP_ROLES,
    sessions: {
      browser: {
        idleSeconds: values.SESSION_IDLE_MINUTES * minute,
        lifetimeSeconds: values.SESSION_MAX_HOURS * hour,
      },
      client: {
        idleSeconds: values.CLIENT_SESSION_IDLE_HOURS * hour,
        lifetimeSeconds: values.CLIENT_SESSION_MAX_DAYS * day,
      },
      most: values.SESSIONS_PER_PERSON,
    },
  };
}
export type AuthSettings = ReturnType<typeof readAuthSettings>;
