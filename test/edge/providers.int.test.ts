// Providers' webhooks in their own schemes and bodies, on every runtime: what becomes of them, what the provider reads,
// and what staff do with those that could not be read.

import { beforeAll, describe, expect, test } from 'vitest';
import { deliver, eventually, expectProblem, newReference, read, write } from './asking.ts';
import { channel } from './channels.ts';
import { runtimes } from './runtimes.ts';
import { nowSeconds, signedItem } from './sign.ts';
import { useWorld } from './world.ts';

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const metadata = { loan_account_number: 'LN-1001', cif: 'CIF-77' };
const stripeEvent = (type: string, object: object, over: object = {}) => ({
  id: newReference(),
  object: 'event',
  type,
  created: nowSeconds(),
  data: { object },
  ...over,
});
const intent = (id: string, over: object = {}) => ({
  id,
  object: 'payment_intent',
  amount: 10050,
  amount_received: 10050,
  currency: 'eur',
  metadata,
  ...over,
});

const adyenSecret = channel('adyen').secret as string;
const item = (pspReference: string, over: Record<string, unknown> = {}) => ({
  amount: { currency: 'EUR', value: 10050 },
  eventCode: 'AUTHORISATION',
  eventDate: '2026-11-20T10:00:00+01:00',
  merchantAccountCode: 'TestMerchant',
  merchantReference: 'order-7',
  pspReference,
  success: 'true',
  additionalData: { 'metadata.loan_account_number': 'LN-1001', 'metadata.cif': 'CIF-77' },
  ...over,
});
const message = (...items: object[]) => ({
  live: 'true',
  notificationItems: items.map((one) => ({ NotificationRequestItem: one })),
});
const signed = (one: Record<string, unknown>) => signedItem(one, adyenSecret);

describe.each(runtimes)('on %s', (runtime) => {
  const world = useWorld(runtime);
  let clerk: string;
  beforeAll(async () => {
    clerk = await world.newKey([
      ...(['payments:read', 'rejected:read', 'rejected:resend'] as const),
      ...(['notices:read', 'notices:retry', 'metrics:read'] as const),
    ]);
  });
  const stripe = (body: unknown) => deliver(world.edge, body, { channel: 'stripe' });
  const adyen = (body: unknown) => deliver(world.edge, body, { channel: 'adyen' });
  const paymentsOf = async (reference: string) => {
    const answer = await read(world.edge, `/api/v1/payments/${encodeURIComponent(reference)}`, clerk);
    return answer.status === 404 ? undefined : answer.body;
  };
  const rejected = async (name: string) =>
    (await read(world.edge, `/api/v1/rejected-webhooks?channel=${name}&status=open`, clerk)).body.data;

  test('a Stripe payment is recorded once, however often it comes, and refunded', async () => {
    const id = newReference();
    const event = stripeEvent('payment_intent.succeeded', intent(id));
    const first = await stripe(event);
    expect(first.status, first.text).toBe(200);
    expect(first.body).toEqual({
      status: 'accepted',
      results: [{ kind: 'payment', status: 'created', payment_id: expect.stringMatching(uuid) }],
      ignored: 0,
      rejected: 0,
    });
    expect((await stripe(event)).body.results).toEqual([
      { kind: 'payment', status: 'duplicate', payment_id: first.body.results[0].payment_id },
    ]);
    expect(await paymentsOf(id)).toMatchObject({
      amount: '100.50',
      currency: 'EUR',
      paymentChannel: 'stripe',
      metadata,
    });

    const refund = {
      id: newReference(),
      object: 'refund',
      amount: 2500,
      currency: 'eur',
      payment_intent: id,
      status: 'succeeded',
    };
    const refunded = await stripe(stripeEvent('refund.created', refund));
    expect(refunded.body.results).toEqual([
      {
        kind: 'reversal',
        status: 'applied',
        payment_id: first.body.results[0].payment_id,
        reversal_id: expect.stringMatching(uuid),
      },
    ]);
    expect((await stripe(stripeEvent('refund.updated', refund))).body.results).toMatchObject([
      { status: 'duplicate' },
    ]);
    const rows = await world.db.query(
      `select reversed::text from payment_service.payment_references where reference_number = $1`,
      [id],
    );
    expect(rows).toEqual([{ reversed: '25.0000' }]);
  });

  test('a Stripe failure and an event that is no payment are answered 200', async () => {
    const failed = intent(newReference(), { last_payment_error: { code: 'card_declined' } });
    expect((await stripe(stripeEvent('payment_intent.payment_failed', failed))).body).toMatchObject({
      results: [{ kind: 'failure', status: 'recorded' }],
    });
    const ignored = await stripe(stripeEvent('charge.succeeded', { id: 'ch_1' }));
    expect([ignored.status, ignored.body]).toEqual([
      200,
      { status: 'accepted', results: [], ignored: 1, rejected: 0 },
    ]);
    await stripe(stripeEvent('something.unheard_of', {}));
    const metrics = await eventually(
      async () => (await read(world.edge, '/metrics', clerk)).text,
      (text) => text.includes('type="other"'),
      5_000,
    );
    expect(metrics).toContain('recoup_webhook_ignored_total{channel="stripe",type="charge.succeeded"} 1');
    expect(metrics).toContain('recoup_webhook_ignored_total{channel="stripe",type="other"} 1');
    expect(metrics).toContain(
      'recoup_webhook_events_total{channel="stripe",kind="failure",outcome="recorded"} 1',
    );
    expect(metrics).not.toContain('unheard_of');
  });

  test('a reference that comes with other facts is a conflict, and Stripe is told not to repeat it', async () => {
    const id = newReference();
    await stripe(stripeEvent('payment_intent.succeeded', intent(id)));
    const other = await stripe(stripeEvent('payment_intent.succeeded', intent(id, { amount_received: 1 })));
    expect(other.status).toBe(200);
    expect(other.body.results).toMatchObject([
      { status: 'conflict', conflict_id: expect.stringMatching(uuid) },
    ]);
  });

  test('what is not signed as Stripe signs is refused, and nothing of it is kept', async () => {
    const body = stripeEvent('payment_intent.succeeded', intent(newReference(), { metadata: {} }));
    for (const delivery of [
      { unsigned: true },
      { secret: 'whsec_of_somebody_else' },
      { at: nowSeconds() - 400 },
    ]) {
      expectProblem(
        await deliver(world.edge, body, { channel: 'stripe', ...delivery }),
        401,
        'invalid_signature',
      );
    }
    expect((await rejected('stripe')).map((row: { body: string }) => row.body)).not.toContain(
      JSON.stringify(body),
    );
  });

  test('a signed payment whose loan is not named is refused, kept masked, and recorded when staff mend it', async () => {
    const id = newReference();
    const object = intent(id, { metadata: { cif: 'CIF-77', note: 'by 4111 1111 1111 1111' } });
    const event = stripeEvent('payment_intent.succeeded', object);
    const refusal = expectProblem(await stripe(event), 422, 'invalid_request');
    expect(refusal.errors).toMatchObject([{ field: 'data.object.metadata.loan_account_number' }]);
    await stripe(event);

    const [kept] = await rejected('stripe');
    expect(kept).toMatchObject({
      channel: 'stripe',
      status: 'open',
      masked: true,
      altered: false,
      timesSeen: 2,
      refusal: { kind: 'invalid', faults: refusal.errors },
      body: JSON.stringify(event).replace('4111 1111 1111 1111', '[card 1111]'),
    });
    const path = `/api/v1/rejected-webhooks/${kept.id}`;
    expect((await read(world.edge, path, clerk)).body).toEqual(kept);
    const unchanged = await write(world.edge, `${path}/resend`, clerk, {});
    expect(expectProblem(unchanged, 422, 'invalid_request').errors).toEqual(refusal.errors);
    const body = kept.body.replace('"cif"', '"loan_account_number":"LN-1001","cif"');
    const resent = await write(world.edge, `${path}/resend`, clerk, { body });
    expect(resent.status, resent.text).toBe(200);
    expect(resent.body).toMatchObject({
      status: 'resent',
      results: [{ kind: 'payment', outcome: 'created' }],
    });
    expect(await paymentsOf(id)).toMatchObject({ loanAccountNumber: 'LN-1001' });
    expect(
      expectProblem(await write(world.edge, `${path}/resend`, clerk, { body }), 409, 'already_decided')
        .decision,
    ).toBe('resent');
  });

  test('a signed body that is no JSON is kept as text; masked, it is not sent again unchanged', async () => {
    const text = `{"reference_number":"${newReference()}","note":"5500 0000 0000 0004"`;
    expectProblem(await deliver(world.edge, text, { channel: 'hub' }), 400, 'malformed_body');
    const [kept] = await rejected('hub');
    expect(kept).toMatchObject({ masked: true, altered: true, refusal: { kind: 'malformed' } });
    const path = `/api/v1/rejected-webhooks/${kept.id}`;
    expectProblem(await write(world.edge, `${path}/resend`, clerk, {}), 409, 'masked_body');
    const dismissed = await write(world.edge, `${path}/dismiss`, clerk, { reason: 'a test of theirs' });
    expect([dismissed.status, dismissed.body]).toEqual([200, { status: 'dismissed' }]);
    expectProblem(await write(world.edge, `${path}/dismiss`, clerk, {}), 422, 'invalid_request');
    expect(await rejected('hub')).toEqual([]);
  });

  test('Adyen reads [accepted]; an item that cannot be read takes no other along', async () => {
    const [good, bad, after] = [newReference(), newReference(), newReference()];
    const answer = await adyen(
      message(
        signed(item(good)),
        signed(item(bad, { additionalData: {} })),
        signed(item(newReference(), { eventCode: 'REPORT_AVAILABLE' })),
        signed(
          item(newReference(), {
            eventCode: 'REFUND',
            originalReference: good,
            amount: { currency: 'EUR', value: 50 },
          }),
        ),
        signed(item(after)),
      ),
    );
    expect(answer.status, answer.text).toBe(200);
    expect(answer.text).toBe('[accepted]');
    expect(await paymentsOf(good)).toMatchObject({ amount: '100.50' });
    expect(await paymentsOf(after)).toMatchObject({ amount: '100.50' });
    expect(await paymentsOf(bad)).toBeUndefined();
    const [kept] = await rejected('adyen');
    expect(JSON.parse(kept.body).notificationItems).toHaveLength(1);
    const body = kept.body.replace(
      '"additionalData":{',
      '"additionalData":{"metadata.loan_account_number":"L","metadata.cif":"C",',
    );
    const resent = await write(world.edge, `/api/v1/rejected-webhooks/${kept.id}/resend`, clerk, { body });
    expect(resent.body).toMatchObject({ status: 'resent' });
    expect(await paymentsOf(bad)).toMatchObject({ loanAccountNumber: 'L' });
  });

  test('of Adyen’s items those that are signed are recorded, and the message is refused so that the others come again', async () => {
    const [good, forged] = [newReference(), newReference()];
    const body = message(signed(item(good)), { ...signed(item(forged)), success: 'false' });
    expectProblem(await adyen(body), 401, 'invalid_signature');
    expect(await paymentsOf(good)).toMatchObject({ amount: '100.50' });
    expect(await paymentsOf(forged)).toBeUndefined();
  });

  test('when a part cannot be kept, Adyen is not told that it was', async () => {
    world.gates.postgres.goAway();
    const body = message(signed(item(newReference(), { additionalData: {} })));
    expectProblem(await adyen(body), 503, 'unavailable');
    await world.gates.postgres.comeBack();
    expect((await adyen(body)).text).toBe('[accepted]');
  });

  test('a body that cannot be kept because the database is away is refused all the same', async () => {
    world.gates.postgres.goAway();
    expectProblem(await stripe('{'), 400, 'malformed_body');
    await world.gates.postgres.comeBack();
  });

  test('GoCardless’ events are kept as notices in one answer, up to its size; staff see them and ask again', async () => {
    const events = Array.from({ length: 250 }, (_, i) => ({
      id: `${newReference()}-${i}`,
      created_at: '2026-11-23T09:30:00.000Z',
      resource_type: 'payments',
      action: 'confirmed',
      links: { payment: `PM${i}` },
      details: { origin: 'gocardless', cause: 'payment_confirmed', description: 'x'.repeat(150) },
    }));
    const answer = await deliver(world.edge, { events }, { channel: 'gocardless' });
    expect(answer.status, answer.text).toBe(200);
    expect(answer.body.results).toHaveLength(250);
    expect(answer.body.results[0]).toEqual({ kind: 'notice', status: 'kept' });
    expect((await deliver(world.edge, { events }, { channel: 'gocardless' })).body.results[9].status).toBe(
      'duplicate',
    );

    const { body } = await read(
      world.edge,
      '/api/v1/payment-notices?channel=gocardless&status=waiting&limit=1',
      clerk,
    );
    expect(body.data).toMatchObject([{ status: 'waiting', attempts: 0, payload: { action: 'confirmed' } }]);
    const path = `/api/v1/payment-notices/${body.data[0].id}`;
    expect((await read(world.edge, path, clerk)).body).toEqual(body.data[0]);
    expect((await write(world.edge, `${path}/retry`, clerk, {})).body).toEqual({ status: 'waiting' });
    expect((await read(world.edge, path, clerk)).body.retriedBy).toMatch(/^key:/);
    await world.db.query(
      `update payment_service.payment_notices set status = 'done', settled_at = now() where id = $1`,
      [body.data[0].id],
    );
    expect(
      expectProblem(await write(world.edge, `${path}/retry`, clerk, {}), 409, 'already_decided').decision,
    ).toBe('done');
  });

  test('without the permission, or for what does not exist, there is nothing', async () => {
    const nobody = await world.newKey(['payments:read']);
    const reader = await world.newKey(['rejected:read', 'notices:read']);
    const unknown = '00000000-0000-4000-8000-000000000000';
    for (const path of ['rejected-webhooks', 'payment-notices']) {
      expectProblem(await read(world.edge, `/api/v1/${path}`, nobody), 404, 'not_found');
      expectProblem(await read(world.edge, `/api/v1/${path}/${unknown}`, clerk), 404, 'not_found');
      expectProblem(await read(world.edge, `/api/v1/${path}/no-uuid`, clerk), 404, 'not_found');
      expectProblem(await read(world.edge, `/api/v1/${path}?status=lost`, clerk), 400, 'invalid_query');
      expectProblem(await read(world.edge, `/api/v1/${path}`), 401, 'unauthenticated');
    }
    for (const path of [
      'rejected-webhooks/ID/resend',
      'rejected-webhooks/ID/dismiss',
      'payment-notices/ID/retry',
    ]) {
      const at = (id: string) => `/api/v1/${path.replace('ID', id)}`;
      expectProblem(await write(world.edge, at(unknown), reader, { reason: 'x' }), 404, 'not_found');
      for (const id of [unknown, 'no-uuid']) {
        expectProblem(await write(world.edge, at(id), clerk, { reason: 'x' }), 404, 'not_found');
      }
    }
  });
});
