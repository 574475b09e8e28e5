// The auth Worker: who a caller is.

import { Hono } from 'hono';
import { createApp, type Scope } from '../app.ts';
import { declaredIn } from '../route.ts';
import { securityHeaders } from '../shield.ts';
import { apiKeyRoutes } from './api-keys.ts';
import { type AuthSettings, readAuthSettings } from './env.ts';
import { loginRoutes } from './login.ts';
import { meRoutes } from './me.ts';
import { oidcRoutes } from './oidc/routes.ts';
import { passwordRoutes } from './password.ts';
import { permissionRoutes, roleRoutes } from './roles.ts';
import { serviceRoutes } from './service-routes.ts';
import { sessionRoutes } from './sessions.ts';
import { tokenRoutes } from './tokens.ts';
import { totpRoutes } from './totp.ts';
import { unversionedSignInRoutes } from './unversioned-sign-in.ts';
import { unversionedRoleRoutes, unversionedUserRoutes } from './unversioned-users.ts';
import { userRoutes } from './users.ts';
import { wayRoutes } from './ways.ts';

/** In one chain, so that their types reach the client. */
export const authRoutes = new Hono<Scope<AuthSettings>>()
  .route('/api/v1/auth', meRoutes)
  .route('/api/v1/auth', wayRoutes)
  .route('/api/v1/auth', loginRoutes)
  .route('/api/v1/auth', oidcRoutes)
  .route('/api/v1/auth', tokenRoutes)
  .route('/api/v1/auth', sessionRoutes)
  .route('/api/v1/auth', passwordRoutes)
  .route('/api/v1/auth', totpRoutes)
  .route('/api/auth', unversionedSignInRoutes)
  .route('/api/v1/users', userRoutes)
  .route('/api/v1/roles', roleRoutes)
  .route('/api/v1/permissions', permissionRoutes)
  .route('/api/v1/api-keys', apiKeyRoutes)
  .route('/api/users', unversionedUserRoutes)
  .route('/api/roles', unversionedRoleRoutes);

export function createAuth() {
  const app = createApp('auth', readAuthSettings);
  app.use(securityHeaders);
  app.route('/', authRoutes);
  app.route(
    '/',
    serviceRoutes(() => declaredIn(app)),
  );
  return app;
}

export default createAuth();
