// Staff or a service records one payment: POST in any of the API's shapes, one verb behind them.

import type { Recorded } from '../../shared/payments/payment.ts';
import { recordPaymentOnce } from '../../shared/payments/record-payment-once.ts';
import { createPaymentRequestReader, type ReadPaymentRequest } from '../../shared/payments/staff-request.ts';
import { type PaymentDetails, readPaymentsByReference } from '../../shared/read/payment-history.ts';
import { type RequestContext, refuse } from '../app.ts';
import { actorOf, askedDatabase } from '../caller.ts';
import { exactJsonBody } from '../json-body.ts';
import type { ApiSettings } from './env.ts';
import { answerOnce, boundKey, keyHeader } from './once.ts';

interface Shape {
  /** Where the payment can be read, without its reference. */
  path: string;
  show: (payment: PaymentDetails, others: PaymentDetails[]) => unknown;
}

export function createPaymentRecorder({ path, show }: Shape) {
  let kept: { settings: ApiSettings; readPayment: ReadPaymentRequest } | undefined;

  return async (c: RequestContext<ApiSettings>): Promise<Response> => {
    const settings = c.get('settings');
    if (kept?.settings !== settings) {
      kept = { settings, readPayment: createPaymentRequestReader(settings.business) };
    }
    const key = keyHeader(c);
    if (!key.ok) return key.refusal;
    const json = await exactJsonBody(c);
    if (!json.ok) return json.refusal;
    const payment = kept.readPayment(json.value, actorOf(c.get('caller')));
    if (!payment.ok) return refuse(c, 'invalid_request', { errors: payment.refusal });

    const { referenceNumber } = payment.value;
    const db = askedDatabase(c);
    const bound = await boundKey(c, key.value, payment.value);
    const once = await recordPaymentOnce(db, payment.value, bound);
    return answerOnce(c, db, bound, once, async (recorded: Recorded) => {
      const { outcome, paymentId } = recorded;
      c.get('log').info('payment', { channel: 'api', outcome, payment_id: paymentId });
      if (outcome === 'conflict') {
        const members = { paymentId, conflictId: recorded.conflictId };
        return { refusal: 'payment_conflict', details: { members } };
      }
      const rows = await readPaymentsByReference(db, referenceNumber);
      const own = rows.find(({ id }) => id === paymentId);
      const others = rows.filter((row) => row !== own);
      // The month of an old payment may have been exported; that it was recorded is known for good.
      const body = own ? show(own, others) : { id: paymentId, referenceNumber, exported: true };
      return {
        status: outcome === 'created' ? 201 : 200,
        location: `${path}/${encodeURIComponent(referenceNumber)}`,
        body: JSON.stringify(body),
      };
    });
  };
}
