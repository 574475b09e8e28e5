// A webhook is one payment, however often and however many at once it comes; what contradicts it is kept for staff.

import { beforeAll, describe, expect, test } from 'vitest';
import {
  type Answer,
  aPayment,
  type Delivery,
  deliver,
  doors,
  expectProblem,
  newReference,
  read,
  tally,
  write,
} from './asking.ts';
import { runtimes } from './runtimes.ts';
import { useWorld } from './world.ts';

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

describe.each(runtimes)('on %s', (runtime) => {
  const world = useWorld(runtime);
  let clerk: string;
  beforeAll(async () => {
    clerk = await world.newKey(['payments:read', 'conflicts:decide']);
  });

  const send = (body: unknown, delivery: Delivery = {}) => deliver(world.edge, body, delivery);
  const rowsOf = async (reference: string) => {
    const [row] = await world.db.query<{ refs: number; payments: number; messages: number }>(
      `select (select count(*)::int from payment_service.payment_references where reference_number = $1) as refs,
              (select count(*)::int from payment_service.payments where reference_number = $1) as payments,
              (select count(*)::int from outbox.messages
               where payload::jsonb -> 'payment' ->> 'reference_number' = $1) as messages`,
      [reference],
    );
    return row;
  };
  const conflictsOf = async (reference: string): Promise<Answer['body'][]> =>
    (await read(world.edge, `/api/v1/payment-conflicts?reference=${reference}`, clerk)).body.data;

  describe.each(doors)('delivered to %s', (to) => {
    test('a signed webhook is a payment, and delivered again it is the same one', async () => {
      const body = aPayment();
      const first = await send(body, { to });
      expect(first.status, first.text).toBe(201);
      expect(first.body).toEqual({ status: 'created', payment_id: expect.stringMatching(uuid) });
      expect(first.headers.get('content-type')).toMatch(/^application\/json/);
      const again = await send(body, { to });
      expect(again.status).toBe(200);
      expect(again.body).toEqual({ status: 'duplicate', payment_id: first.body.payment_id });
      expect(await rowsOf(body.reference_number)).toEqual({ refs: 1, payments: 1, messages: 1 });
    });

    test('twenty identical ones at once are one payment', async () => {
      const body = aPayment();
      const answers = await Promise.all(Array.from({ length: 20 }, () => send(body, { to })));
      expect(tally(answers)).toEqual({ 200: 19, 201: 1 });
      expect(new Set(answers.map((answer) => answer.body.payment_id)).size).toBe(1);
      expect(await rowsOf(body.reference_number)).toEqual({ refs: 1, payments: 1, messages: 1 });
    });

    test('a reference with another amount is a conflict, answered 409 and kept once', async () => {
      const body = aPayment();
      const first = await send(body, { to });
      const other = { ...body, amount: '100.51' };
      const conflict = expectProblem(await send(other, { to }), 409, 'payment_conflict');
      expect(conflict).toMatchObject({
        payment_id: first.body.payment_id,
        conflict_id: expect.stringMatching(uuid),
      });
      const again = expectProblem(await send(other, { to }), 409, 'payment_conflict');
      expect(again.conflict_id).toBe(conflict.conflict_id);
      expect(await conflictsOf(body.reference_number)).toMatchObject([
        { id: conflict.conflict_id, status: 'open', timesSeen: 2 },
      ]);
      expect((await send(body, { to })).body.status).toBe('duplicate');
      expect(await rowsOf(body.reference_number)).toEqual({ refs: 1, payments: 1, messages: 1 });
    });

    test('a channel may have its conflicts answered with 200', async () => {
      const body = aPayment();
      const first = await send(body, { to, channel: 'partner' });
      expect(first.status).toBe(201);
      const conflict = await send({ ...body, loan_account_number: 'LN-9' }, { to, channel: 'partner' });
      expect(conflict.status).toBe(200);
      expect(conflict.body).toEqual({
        status: 'conflict',
        payment_id: first.body.payment_id,
        conflict_id: expect.stringMatching(uuid),
      });
    });
  });

  test('twenty at once are one payment even as the first requests of two isolates', async () => {
    const body = aPayment();
    const fresh = [await world.anotherEdge(), await world.anotherEdge()] as const;
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => deliver(fresh[i % 2 ? 0 : 1], body, { to: doors[i % 3 ? 0 : 1] })),
    );
    expect(tally(answers)).toEqual({ 200: 19, 201: 1 });
    expect(await rowsOf(body.reference_number)).toEqual({ refs: 1, payments: 1, messages: 1 });
    for (const edge of fresh) await edge.stop();
  });

  test('two versions of one reference, ten of each at once, are one payment and one conflict', async () => {
    const body = aPayment();
    const other = { ...body, amount: '7.00' };
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => send(i % 2 ? body : other, { to: doors[i % 3 ? 0 : 1] })),
    );
    expect(tally(answers)).toEqual({ 201: 1, 200: 9, 409: 10 });
    const conflicts = answers.filter(({ status }) => status === 409).map((answer) => answer.body.conflict_id);
    expect(new Set(conflicts).size).toBe(1);
    expect(await rowsOf(body.reference_number)).toEqual({ refs: 1, payments: 1, messages: 1 });
  });

  test('thirty references, four deliveries each, all at once and mixed, are thirty payments', async () => {
    const bodies = Array.from({ length: 30 }, () => aPayment());
    const answers = await Promise.all(
      Array.from({ length: 120 }, (_, i) => send(bodies[(i * 7) % 30], { to: doors[i % 2] })),
    );
    expect(tally(answers)).toEqual({ 200: 90, 201: 30 });
    expect(new Set(answers.map((answer) => answer.body.payment_id)).size).toBe(30);
  });

  test('the same reference in two namespaces is two payments', async () => {
    const body = aPayment();
    const ours = await send(body, { channel: 'hub' });
    const theirs = await send(body, { channel: 'partner' });
    expect([ours.status, theirs.status]).toEqual([201, 201]);
    expect(ours.body.payment_id).not.toBe(theirs.body.payment_id);
  });

  test('channels of one namespace know each other’s payments', async () => {
    const body = aPayment();
    const first = await send(body, { channel: 'hub' });
    const second = await send(body, { channel: 'plain' });
    expect(second.body).toEqual({ status: 'duplicate', payment_id: first.body.payment_id });
  });

  test('the same calendar day in the business zone is the same payment, the day before is not', async () => {
    const body = aPayment({ payment_date: '2026-07-01T00:15:00+02:00' });
    const first = await send(body);
    const sameDay = await send({ ...body, payment_date: '2026-07-01T21:59:59.999Z' });
    expect(sameDay.body).toEqual({ status: 'duplicate', payment_id: first.body.payment_id });
    const dayAlone = await send({ ...body, payment_date: '2026-07-01' });
    expect(dayAlone.body.status).toBe('duplicate');
    expectProblem(await send({ ...body, payment_date: '2026-06-30T21:45:00Z' }), 409, 'payment_conflict');
    expectProblem(await send({ ...body, payment_date: '2026-07-01T22:00:00Z' }), 409, 'payment_conflict');
  });

  test('a reference that is used again a month later is a conflict', async () => {
    const body = aPayment();
    await send(body);
    const later = { ...body, payment_date: '2026-04-10T09:30:00+02:00' };
    expectProblem(await send(later), 409, 'payment_conflict');
  });

  test('amounts that are written differently are the same amount', async () => {
    const body = aPayment({ amount: '250.00' });
    expect((await send(body)).status).toBe(201);
    const { amount: _, ...rest } = body;
    for (const written of ['250', '250.0', '2.5e2', '"250"', '"250.00"']) {
      const text = `{"amount": ${written}, ${JSON.stringify(rest).slice(1)}`;
      expect((await send(text)).body?.status, written).toBe('duplicate');
    }
  });

  test('a payment of any day is taken, long before and long after the months that have partitions', async () => {
    for (const day of ['1999-12-31', '2026-10-25T02:30:00', '2035-02-28T23:59:59Z']) {
      expect((await send(aPayment({ payment_date: day }))).status, day).toBe(201);
    }
  });

  test('an accepted conflict is a payment of its own, and meeting it again is a duplicate of that one', async () => {
    const reference = newReference();
    const body = aPayment({ reference_number: reference });
    const other = { ...body, amount: '99.99', metadata: { note: 'second version' } };
    const first = await send(body);
    const { conflict_id: id } = (await send(other)).body;
    expect(await conflictsOf(reference)).toEqual([
      {
        id,
        status: 'open',
        referenceNumber: reference,
        paymentId: first.body.payment_id,
        recorded: {
          loanAccountNumber: 'LN-1001',
          cif: 'CIF-77',
          amount: '100.50',
          currency: 'EUR',
          paymentDate: '2026-03-10T08:30:00.000Z',
          paymentChannel: 'standard',
          source: 'webhook',
          metadata: {},
        },
        received: expect.objectContaining({ amount: '99.99', metadata: { note: 'second version' } }),
        timesSeen: 1,
        firstSeenAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        lastSeenAt: expect.any(String),
        decidedBy: null,
        decidedAt: null,
        reason: null,
        acceptedPaymentId: null,
      },
    ]);

    const accepted = await write(world.edge, `/api/v1/payment-conflicts/${id}/accept`, clerk, {});
    expect(accepted.status, accepted.text).toBe(200);
    expect(accepted.body).toEqual({ status: 'accepted', paymentId: expect.stringMatching(uuid) });
    const { paymentId } = accepted.body;
    const again = await write(world.edge, `/api/v1/payment-conflicts/${id}/accept`, clerk, { reason: 'x' });
    expect(again.body).toEqual({ status: 'accepted', paymentId });
    const dismissal = await write(world.edge, `/api/v1/payment-conflicts/${id}/dismiss`, clerk, {
      reason: 'too late',
    });
    expect(expectProblem(dismissal, 409, 'already_decided').decision).toBe('accepted');

    expect((await send(other)).body).toEqual({ status: 'duplicate', payment_id: paymentId });
    expect((await send(body)).body).toEqual({ status: 'duplicate', payment_id: first.body.payment_id });
    expect((await read(world.edge, `/api/v1/payment-conflicts/${id}`, clerk)).body).toMatchObject({
      status: 'accepted',
      acceptedPaymentId: paymentId,
      decidedBy: expect.stringMatching(/^key:[0-9a-z]{12}$/),
    });
    expect((await read(world.edge, `/api/v1/payments/${reference}`, clerk)).body).toMatchObject({
      id: first.body.payment_id,
      amount: '100.50',
      others: [{ id: paymentId, amount: '99.99', linkedPaymentId: first.body.payment_id }],
    });
    expect(await rowsOf(reference)).toEqual({ refs: 2, payments: 2, messages: 2 });
  });

  test('a dismissed conflict stays a conflict, with the reason', async () => {
    const body = aPayment();
    await send(body);
    const other = { ...body, amount: '1.00' };
    const { conflict_id: id } = (await send(other)).body;
    const dismiss = (decision: unknown) =>
      write(world.edge, `/api/v1/payment-conflicts/${id}/dismiss`, clerk, decision);
    expect(expectProblem(await dismiss({}), 422, 'invalid_request').errors).toMatchObject([
      { field: 'reason' },
    ]);
    expect(expectProblem(await dismiss({ reason: '  ' }), 422, 'invalid_request').errors).toHaveLength(1);
    const dismissed = await dismiss({ reason: 'sent by mistake' });
    expect([dismissed.status, dismissed.body]).toEqual([200, { status: 'dismissed' }]);
    expect((await dismiss({ reason: 'again' })).body).toEqual({ status: 'dismissed' });
    const accept = await write(world.edge, `/api/v1/payment-conflicts/${id}/accept`, clerk, {});
    expect(expectProblem(accept, 409, 'already_decided').decision).toBe('dismissed');
    expect(expectProblem(await send(other), 409, 'payment_conflict').conflict_id).toBe(id);
    expect(await conflictsOf(body.reference_number)).toMatchObject([
      { status: 'dismissed', reason: 'sent by mistake', timesSeen: 2 },
    ]);
    expect(await rowsOf(body.reference_number)).toEqual({ refs: 1, payments: 1, messages: 1 });
  });

  test('staff who decide at the same time agree on one decision', async () => {
    const body = aPayment();
    await send(body);
    const { conflict_id: id } = (await send({ ...body, amount: '2.00' })).body;
    const decide = (i: number) =>
      write(world.edge, `/api/v1/payment-conflicts/${id}/${i % 2 ? 'accept' : 'dismiss'}`, clerk, {
        reason: 'me first',
      });
    const answers = await Promise.all(Array.from({ length: 10 }, (_, i) => decide(i)));
    expect(tally(answers)).toEqual({ 200: 5, 409: 5 });
    const [conflict] = await conflictsOf(body.reference_number);
    const expected = conflict.status === 'accepted' ? 2 : 1;
    expect((await rowsOf(body.reference_number))?.payments).toBe(expected);
  });

  test('deciding on a conflict that does not exist, or without the permission, finds nothing', async () => {
    const body = aPayment();
    await send(body);
    const { conflict_id: id } = (await send({ ...body, amount: '3.00' })).body;
    const reader = await world.newKey(['payments:read']);
    const unknown = '00000000-0000-4000-8000-000000000000';
    for (const [who, what] of [
      [reader, id],
      [clerk, unknown],
      [clerk, 'no-uuid'],
    ]) {
      for (const decision of ['accept', 'dismiss']) {
        const path = `/api/v1/payment-conflicts/${what}/${decision}`;
        expectProblem(await write(world.edge, path, who, { reason: 'x' }), 404, 'not_found');
      }
    }
    expect(await conflictsOf(body.reference_number)).toMatchObject([{ status: 'open' }]);
  });
});
