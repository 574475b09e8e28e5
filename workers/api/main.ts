// The front door: health, metrics and the staff API; webhooks and auth are passed on to their own Workers with
// the body's bytes and the client's address as they came.

import { Hono } from 'hono';
import { createApp, type RequestContext, refuse, type Scope } from '../app.ts';
import { conditionalReads } from '../etag.ts';
import { declaredIn } from '../route.ts';
import { allowedOrigins, securityHeaders } from '../shield.ts';
import { accountRoutes, loanRoutes } from './accounts.ts';
import { approvalLimitRoutes, approvalRequestRoutes } from './approvals.ts';
import { auditRoutes } from './audit.ts';
import { conflictRoutes } from './conflicts.ts';
import { conversationRoutes } from './conversations.ts';
import { customerRoutes } from './customers.ts';
import { deadLetterRoutes } from './dead-letters.ts';
import { type ApiSettings, readApiSettings } from './env.ts';
import { jobRoutes } from './jobs.ts';
import { ledgerRoutes } from './ledger.ts';
import { ledgerCommandRoutes } from './ledger-commands.ts';
import { ledgerStreamRoutes } from './ledger-stream.ts';
import { customerNoteRoutes, noteRoutes } from './notes.ts';
import { noticeRoutes } from './notices.ts';
import { overviewRoutes } from './overview.ts';
import { paymentRoutes } from './payments.ts';
import { moveRoutes, postingRoutes } from './postings.ts';
import { referenceRoutes } from './reference.ts';
import { rejectedWebhookRoutes } from './rejected-webhooks.ts';
import { reportPages } from './report-pages.ts';
import { reversalRoutes } from './reversals.ts';
import { searchRoutes } from './search.ts';
import { servicingAppRoutes } from './servicing-app.ts';
import { stagingRoutes } from './staging.ts';
import { streamRoutes } from './stream.ts';
import { systemRoutes } from './system.ts';
import { unversionedCustomerRoutes } from './unversioned-customers.ts';
import { unversionedLedgerRoutes } from './unversioned-ledger.ts';
import { unversionedPaymentRoutes } from './unversioned-payments.ts';
import { viewRoutes } from './views.ts';

/** In one chain, so that their types reach the client. */
export const apiRoutes = new Hono<Scope<ApiSettings>>()
  // Before the payment whose reference would be "stats".
  .route('/', systemRoutes)
  .route('/api/v1/payments/staging', stagingRoutes)
  .route('/api/v1/payments', paymentRoutes)
  .route('/api/v1/payments', moveRoutes)
  .route('/api/v1/postings', postingRoutes)
  .route('/api/v1/payment-conflicts', conflictRoutes)
  .route('/api/v1/customers', customerRoutes)
  .route('/api/v1/customers', customerNoteRoutes)
  .route('/api/v1/notes', noteRoutes)
  .route('/api/v1/search', searchRoutes)
  .route('/api/v1/accounts', accountRoutes)
  .route('/api/v1/loans', loanRoutes)
  .route('/api/v1/conversations', conversationRoutes)
  .route('/api/v1/stats', overviewRoutes)
  .route('/api/v1/jobs', jobRoutes)
  .route('/api/v1/payment-reversals', reversalRoutes)
  .route('/api/v1/ledger/accounts', ledgerRoutes)
  .route('/api/v1/ledger/accounts', ledgerCommandRoutes)
  .route('/api/v1/ledger/accounts', ledgerStreamRoutes)
  .route('/api/v1/approval-requests', approvalRequestRoutes)
  .route('/api/v1/approval-limits', approvalLimitRoutes)
  .route('/api/ledger', unversionedLedgerRoutes)
  .route('/api/payments', unversionedPaymentRoutes)
  .route('/api', unversionedCustomerRoutes)
  .route('/api', servicingAppRoutes)
  .route('/api/v1/payment-notices', noticeRoutes)
  .route('/api/v1/rejected-webhooks', rejectedWebhookRoutes)
  .route('/api/v1/dead-letters', deadLetterRoutes)
  .route('/api/v1/views', viewRoutes)
  .route('/api/v1/stream', streamRoutes)
  .route('/api/v1/audit', auditRoutes)
  .route('/reports', reportPages);

export function createApi() {
  const app = createApp('api', readApiSettings);

  app.use(securityHeaders, allowedOrigins);
  // Nothing kept here can hold U+0000, and Postgres would take it for a fault.
  app.use(async (c, next) => (c.req.url.includes('%00') ? refuse(c, 'not_found') : next()));

  const passOn = (door: 'webhooks' | 'auth') => (c: RequestContext<ApiSettings>) => {
    const request = new Request(c.req.raw);
    request.headers.set('x-request-id', c.get('requestId'));
    return c.get('settings')[door].fetch(request);
  };
  app.post('/api/v1/payments/webhook', passOn('webhooks'));
  app.post('/api/v1/payments/webhook/:channel', passOn('webhooks'));
  app.post('/api/v1/events', passOn('webhooks'));
  app.post('/api/v1/events/:channel', passOn('webhooks'));
  for (const area of ['auth', 'users', 'roles', 'permissions', 'sessions', 'api-keys']) {
    app.all(`/api/v1/${area}`, passOn('auth'));
    app.all(`/api/v1/${area}/*`, passOn('auth'));
  }
  // Seed 004's paths.
  for (const area of ['auth', 'users', 'roles']) {
    app.all(`/api/${area}`, passOn('auth'));
    app.all(`/api/${area}/*`, passOn('auth'));
  }
  app.get('/.well-known/jwks.json', passOn('auth'));

  app.use(conditionalReads);
  app.route('/', apiRoutes);
  app.route(
    '/',
    referenceRoutes(() => declaredIn(app)),
  );
  return app;
}

export default createApi();
