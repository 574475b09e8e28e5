// A typed client of everything under one address, for the console and for programs of ours. What it may ask and what it
// gets follows from the routes' declarations; nothing of a Worker is in it but types.

import { type ClientRequestOptions, hc } from 'hono/client';
import type { apiRoutes } from './api/main.ts';
import type { authRoutes } from './auth/main.ts';

export type ApiRoutes = typeof apiRoutes;
export type AuthRoutes = typeof authRoutes;

/** In a browser its session comes by itself; a program gives its token or key in `headers`. */
export const createClient = (baseUrl: string, options?: ClientRequestOptions) => ({
  api: hc<ApiRoutes>(baseUrl, options),
  auth: hc<AuthRoutes>(baseUrl, options),
});
