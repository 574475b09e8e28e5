// The three Workers as plain functions for a runtime that is not Cloudflare's: each with its own settings, the front
// door leading to the two others. Runs in Node and in Deno.

import { createApi } from '../../workers/api/main.ts';
import { createAuth } from '../../workers/auth/main.ts';
import { createWebhooks } from '../../workers/webhooks/main.ts';

export const workerNames = ['api', 'webhooks', 'auth'] as const;
export type WorkerName = (typeof workerNames)[number];
export type WorkerSettings = Record<WorkerName, Record<string, string>>;
export type Fetch = (request: Request) => Promise<Response>;

export function createApps(settings: WorkerSettings): Record<WorkerName, Fetch> {
  const webhooks = createWebhooks();
  const auth = createAuth();
  const api = createApi();
  const webhooksFetch: Fetch = async (request) => webhooks.fetch(request, settings.webhooks);
  const authFetch: Fetch = async (request) => auth.fetch(request, settings.auth);
  const apiEnv = { ...settings.api, WEBHOOKS: { fetch: webhooksFetch }, AUTH: { fetch: authFetch } };
  return { api: async (request) => api.fetch(request, apiEnv), webhooks: webhooksFetch, auth: authFetch };
}
