// The three Workers as functions in this process: each with its own settings and its own role's connections, the front
// door leading to the two others. Payments that arrive at the same time meet here and share statements.

import type { Database } from '../../shared/database.ts';
import type { RecentPayment } from '../../shared/payments/payment.ts';
import { createApi } from '../../workers/api/main.ts';
import { createAuth } from '../../workers/auth/main.ts';
import { createWebhooks } from '../../workers/webhooks/main.ts';
import { nativeScrypt } from './scrypt.ts';
import type { WorkerName } from './worker-settings.ts';

type Fetch = (request: Request) => Promise<Response>;

export interface AppsOptions {
  bindings: Record<WorkerName, Record<string, string>>;
  databases: Record<WorkerName, Database>;
  /** Newest first. */
  recentPayments: readonly RecentPayment[];
}

export interface Apps extends Record<WorkerName, Fetch> {
  /** Resolves when what requests left to be written after their answers is written. */
  settled(): Promise<void>;
}

export function createApps({ bindings, databases, recentPayments }: AppsOptions): Apps {
  const pending = new Set<Promise<unknown>>();
  const afterAnswer = {
    waitUntil(work: Promise<unknown>) {
      const settling = work.catch(() => {}).finally(() => pending.delete(settling));
      pending.add(settling);
    },
    passThroughOnException() {},
    props: {},
  };
  const envs = {
    webhooks: { ...bindings.webhooks, POSTGRES: databases.webhooks, RECENT_PAYMENTS: recentPayments },
    auth: { ...bindings.auth, POSTGRES: databases.auth, SCRYPT: nativeScrypt },
    api: { ...bindings.api, POSTGRES: databases.api },
  };
  const [webhooks, auth, api] = [createWebhooks(), createAuth(), createApi()];
  const webhooksFetch: Fetch = async (request) => webhooks.fetch(request, envs.webhooks, afterAnswer);
  const authFetch: Fetch = async (request) => auth.fetch(request, envs.auth, afterAnswer);
  const apiEnv = { ...envs.api, WEBHOOKS: { fetch: webhooksFetch }, AUTH: { fetch: authFetch } };
  return {
    webhooks: webhooksFetch,
    auth: authFetch,
    api: async (request) => api.fetch(request, apiEnv, afterAnswer),
    async settled() {
      while (pending.size > 0) await Promise.all(pending);
    },
  };
}
