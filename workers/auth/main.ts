// The auth Worker: who a caller is. Today that is the holder of an API key.

import { createApp } from '../app.ts';
import { createCallerCheck } from '../caller.ts';
import { openDatabase } from '../database.ts';
import { type AuthSettings, readAuthSettings } from './env.ts';

export function createAuth() {
  const app = createApp('auth', readAuthSettings);
  const callerCheck = createCallerCheck<AuthSettings>();
  app.get('/api/v1/auth/me', callerCheck(), (c) => {
    const { prefix, name, scopes, expiresAt } = c.get('caller');
    return c.json({ kind: 'api_key', prefix, name, scopes, expiresAt });
  });
  app.get('/health', async (c) => {
    await openDatabase(c.get('settings').database).query('select 1');
    return c.json({ status: 'healthy' });
  });
  return app;
}

export default createAuth();
