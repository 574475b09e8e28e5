// The webhooks Worker: intake of payments and events, and nothing else. Its database role may execute what records and
// keeps them, and has no table.

import { createApp } from '../app.ts';
import { openDatabase } from '../database.ts';
import { readWebhooksSettings } from './env.ts';
import { createEventIntake } from './event-intake.ts';
import { createPaymentWebhook } from './payment-webhook.ts';

export { PaymentCommits } from './payment-commits.ts';

export function createWebhooks() {
  const app = createApp('webhooks', readWebhooksSettings);
  const paymentWebhook = createPaymentWebhook();
  app.post('/api/v1/payments/webhook', paymentWebhook);
  app.post('/api/v1/payments/webhook/:channel', paymentWebhook);
  const eventIntake = createEventIntake();
  app.post('/api/v1/events', eventIntake);
  app.post('/api/v1/events/:channel', eventIntake);
  app.get('/health', async (c) => {
    await openDatabase(c.get('settings').database).query('select 1');
    const outages = c.get('settings').accepted ? 'accept' : 'refuse';
    return c.json({ status: 'healthy', outages });
  });
  return app;
}

export default createWebhooks();
