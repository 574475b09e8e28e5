// The auth Worker: who a caller is.

import { createApp } from '../app.ts';
import { openDatabase } from '../database.ts';
import { securityHeaders } from '../shield.ts';
import { readAuthSettings } from './env.ts';
import { meRoutes } from './me.ts';

export function createAuth() {
  const app = createApp('auth', readAuthSettings);
  app.use(securityHeaders);
  app.route('/api/v1/auth', meRoutes);
  app.get('/.well-known/jwks.json', (c) => {
    c.header('cache-control', 'public, max-age=300');
    return c.json(c.get('settings').tokens.published);
  });
  app.get('/health', async (c) => {
    await openDatabase(c.get('settings').database).query('select 1');
    return c.json({ status: 'healthy' });
  });
  return app;
}

export default createAuth();
