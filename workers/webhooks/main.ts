// The webhooks Worker: payment intake and nothing else. Its database role may execute the recording function only.

import { createApp } from '../app.ts';
import { openDatabase } from '../database.ts';
import { readWebhooksSettings } from './env.ts';
import { createPaymentWebhook } from './payment-webhook.ts';

export { PaymentCommits } from './payment-commits.ts';

export function createWebhooks() {
  const app = createApp('webhooks', readWebhooksSettings);
  const paymentWebhook = createPaymentWebhook();
  app.post('/api/v1/payments/webhook', paymentWebhook);
  app.post('/api/v1/payments/webhook/:channel', paymentWebhook);
  app.get('/health', async (c) => {
    await openDatabase(c.get('settings').database).query('select 1');
    const outages = c.get('settings').accepted ? 'accept' : 'refuse';
    return c.json({ status: 'healthy', outages });
  });
  return app;
}

export default createWebhooks();
