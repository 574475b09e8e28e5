// The auth Worker's settings; .env.example documents each.

import * as z from 'zod/mini';
import { parseSettings, postgresUrl } from '../../shared/settings.ts';
import { commonBindings, commonSettings, commonVariables } from '../settings.ts';
import { staffSettings, staffVariables } from '../staff-settings.ts';
import { tokenKeysSetting } from './token-keys.ts';

const timeoutMs = 5_000;

const variables = z.object({
  ...commonVariables,
  ...staffVariables,
  DATABASE_URL: postgresUrl('the database, as role recoup_auth'),
  TOKEN_KEYS: tokenKeysSetting,
});

/** The names this Worker reads. */
export const authVariables: readonly string[] = Object.keys(variables.shape);

export function readAuthSettings(env: Record<string, unknown>) {
  const values = parseSettings('auth', z.object({ ...variables.shape, ...commonBindings }), env);
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
  };
}
export type AuthSettings = ReturnType<typeof readAuthSettings>;
