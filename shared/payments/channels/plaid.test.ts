import { generateKeyPairSync, sign } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  clientId,
  type Plaid,
  plaidEvent,
  plaidTransfer,
  startPlaid,
  token,
} from '../../../test/providers/plaid.ts';
import type { ChannelOf } from '../channel.ts';
import type { NewNotice } from '../notice.ts';
import { ProviderFault } from '../scheme.ts';
import { plaid } from './plaid.ts';
import { business, channelOf, faultsOf, now, parse, seconds, verdict } from './testing.ts';

let api: Plaid;
let channel: ChannelOf<'plaid'>;
beforeEach(async () => {
  api = await startPlaid();
  channel = { ...channelOf('plaid', { clientId }), api: { url: api.url, token } };
});
afterEach(() => api.close());

const webhook = {
  webhook_type: 'TRANSFER',
  webhook_code: 'TRANSFER_EVENTS_UPDATE',
  environment: 'production',
};
const body = JSON.stringify(webhook);

describe('its signature', () => {
  const check = (jwt: string | undefined, text = body, at = now) =>
    verdict(channel, { 'plaid-verification': jwt }, text, { at, fetch: (url, init) => fetch(url, init) });

  test('is good for its body, and for no other', async () => {
    const jwt = api.signed(body, { at: seconds() });
    expect(await check(jwt)).toBe('ok');
    expect(await check(jwt, `${body} `)).toBe('mismatch');
    expect(await check(api.signed(body, { at: seconds(), bodyHash: '0'.repeat(64) }))).toBe('mismatch');
  });

  test.each([
    [-301, 'expired'],
    [-299, 'ok'],
    [300, 'ok'],
    [301, 'expired'],
  ])('made %d s from now is %s', async (offset, expected) => {
    expect(await check(api.signed(body, { at: seconds(offset) }))).toBe(expected);
  });

  test('needs its key once, until that has been kept for an hour', async () => {
    const jwt = (at: Date) => api.signed(body, { at: Math.floor(at.getTime() / 1000) });
    for (let i = 0; i < 3; i++) expect(await check(jwt(now))).toBe('ok');
    expect(api.asked).toEqual(['POST /webhook_verification_key/get']);
    const later = new Date(now.getTime() + 3_601_000);
    expect(await check(jwt(later), body, later)).toBe('ok');
    expect(api.asked).toHaveLength(2);
  });

  test('by a key that Plaid does not know, or that has expired, is refused, and Plaid is not asked each time', async () => {
    const stranger = api.signed(body, { at: seconds(), kid: crypto.randomUUID() });
    for (let i = 0; i < 3; i++) expect(await check(stranger)).toBe('mismatch');
    expect(api.asked).toHaveLength(1);
    api.expiredAt = 1_700_000_001;
    expect(await check(api.signed(body, { at: seconds() }))).toBe('mismatch');
  });

  test('by ever new unknown keys does not make us ask Plaid ever again', async () => {
    const later = new Date(now.getTime() + 86_400_000);
    const at = Math.floor(later.getTime() / 1000);
    for (let i = 0; i < 40; i++) {
      expect(await check(api.signed(body, { at, kid: crypto.randomUUID() }), body, later)).toBe('mismatch');
    }
    expect(api.asked).toHaveLength(20);
    const minute = new Date(later.getTime() + 61_000);
    expect(await check(api.signed(body, { at: at + 61 }), body, minute)).toBe('ok');
  });

  test('by another key under a known id is refused', async () => {
    const [head = '', claims = ''] = api.signed(body, { at: seconds() }).split('.');
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const forged = sign('sha256', Buffer.from(`${head}.${claims}`), {
      key: privateKey,
      dsaEncoding: 'ieee-p1363',
    });
    expect(await check(`${head}.${claims}.${forged.toString('base64url')}`)).toBe('mismatch');
  });

  test('is ES256 and nothing else', async () => {
    for (const alg of ['none', 'HS256', 'ES384', 'es256']) {
      expect(await check(api.signed(body, { at: seconds(), alg })), alg).toBe('malformed_header');
    }
    const jwt = api.signed(body, { at: seconds() });
    const [head = '', claims = '', signature = ''] = jwt.split('.');
    expect(await check(undefined)).toBe('missing_header');
    for (const broken of [
      'x',
      'a.b.c',
      `${head}.${claims}`,
      `${head}.${claims}.`,
      `${jwt}.x`,
      `${head}.${claims}.${signature.slice(4)}`,
    ]) {
      expect(await check(broken), broken).toBe('malformed_header');
    }
    expect(await check(api.signed(body, { at: seconds(), kid: '../../key' }))).toBe('malformed_header');
    expect(api.asked).toEqual([]);
  });

  test('cannot be told while Plaid is away: that is a fault and no refusal', async () => {
    api.next({ status: 500, body: {} });
    await expect(check(api.signed(body, { at: seconds() }))).rejects.toThrow(ProviderFault);
    expect(await check(api.signed(body, { at: seconds() }))).toBe('ok');
    const wrong = { ...channel, api: { url: api.url, token: 'wrong-token' }, clientId: 'another' };
    const request = { 'plaid-verification': api.signed(body, { at: seconds() }) };
    await expect(verdict(wrong, request, body)).rejects.toThrow('the API of psp answered 400');
  });

  test('is not asked for where there is no token: nothing is accepted', async () => {
    const without = channelOf('plaid', { clientId });
    expect(await verdict(without, { 'plaid-verification': api.signed(body) }, body)).toBe('no_secret');
  });
});

test('the client id is a setting that it needs', () => {
  expect(() => channelOf('plaid')).toThrow('clientId');
});

test('new transfer events are a standing notice, everything else is no payment', () => {
  expect(parse(channel, body)).toEqual({
    ok: true,
    value: {
      arrivals: [
        {
          kind: 'notice',
          notice: {
            channel: 'psp',
            noticeReference: 'TRANSFER.TRANSFER_EVENTS_UPDATE',
            subject: 'transfer events',
            payload: body,
            standing: true,
            actor: 'channel:psp',
          },
        },
      ],
      ignored: [],
      rejected: [],
    },
  });
  const other = { webhook_type: 'ITEM', webhook_code: 'ERROR' };
  expect(parse(channel, other)).toMatchObject({ value: { arrivals: [], ignored: ['ITEM.ERROR'] } });
  expect(faultsOf(channel, [])).toEqual(['webhook_type', 'webhook_code']);
});

const standing = (cursor: string | null) => ({
  channel: 'psp',
  noticeReference: 'TRANSFER.TRANSFER_EVENTS_UPDATE',
  subject: 'transfer events',
  payload: body,
  standing: true,
  actor: 'channel:psp',
  cursor,
});
const ask = (notice: NewNotice & { cursor: string | null }) =>
  plaid.api.ask(notice, channel, business, fetch);

test('events are read on from the last one; those that move money are notices of their own', async () => {
  api.events.push(
    plaidEvent('pending', { event_id: '5' }),
    plaidEvent('settled', { event_id: '18446744073709551614' }),
    plaidEvent('settled', { event_id: '18446744073709551615', transfer_type: 'credit' }),
  );
  const answer = await ask(standing(null));
  expect(answer).toMatchObject({
    ok: true,
    value: {
      arrivals: [
        { kind: 'notice', notice: { noticeReference: 'event:18446744073709551614', standing: false } },
      ],
      cursor: '18446744073709551615',
      more: false,
    },
  });
  expect(await ask(standing('18446744073709551615'))).toMatchObject({
    value: { arrivals: [], cursor: '18446744073709551615', more: false },
  });
});

test('a full page says that there is more', async () => {
  for (let i = 1; i <= 30; i++) api.events.push(plaidEvent('settled', { event_id: String(i) }));
  const first = await ask(standing(null));
  expect(first).toMatchObject({ value: { cursor: '25', more: true } });
  expect(await ask(standing('25'))).toMatchObject({ value: { cursor: '30', more: false } });
});

async function asked(event: ReturnType<typeof plaidEvent>) {
  api.events.push(event);
  const found = await ask(standing(null));
  const [arrival] = found.ok ? found.value.arrivals : [];
  if (arrival?.kind !== 'notice') throw new Error('no notice');
  const answer = await ask({ ...arrival.notice, cursor: null });
  if (!answer.ok) throw new Error(JSON.stringify(answer.refusal));
  return answer.value.arrivals;
}
const id = '460cbe92-0000-4ad6-b37d-0ec90fd90001';

test('a settled transfer is a payment, with what the transfer says of it', async () => {
  api.transfers.set(id, plaidTransfer());
  expect(await asked(plaidEvent('settled'))).toEqual([
    {
      kind: 'payment',
      payment: {
        namespace: 'default',
        referenceNumber: id,
        loanAccountNumber: 'LN00001234',
        cif: 'CIF000077',
        amount: { amountMinor: 10_050n, currency: 'USD' },
        paymentDate: new Date('2026-11-23T09:30:00Z'),
        paidOn: '2026-11-23',
        paymentChannel: 'psp',
        metadata: '{"loan_account_number":"LN00001234","cif":"CIF000077"}',
        requiresReceipt: false,
        source: 'webhook',
        actor: 'channel:psp',
      },
    },
  ]);
});

test('a failed one is a failure, a returned one a reversal of all', async () => {
  api.transfers.set(id, plaidTransfer({ metadata: null }));
  const failure_reason = { failure_code: 'R01', ach_return_code: 'R01', description: 'Insufficient funds' };
  expect(await asked(plaidEvent('failed', { failure_reason }))).toMatchObject([
    { failure: { referenceNumber: id, failureReference: 'event:1', reason: 'R01', loanAccountNumber: null } },
  ]);
  api.events.length = 0;
  expect(await asked(plaidEvent('returned', { event_id: '2', failure_reason }))).toMatchObject([
    {
      reversal: {
        referenceNumber: id,
        reversalReference: `${id}:returned`,
        amount: null,
        reason: 'returned: R01',
      },
    },
  ]);
});

test('a refund has the amount that the transfer lists for it', async () => {
  api.transfers.set(
    id,
    plaidTransfer({
      refunds: [
        { id: 'rf-0', amount: '1.00' },
        { id: 'rf-1', amount: '25.00' },
      ],
    }),
  );
  expect(await asked(plaidEvent('refund.settled', { refund_id: 'rf-1' }))).toMatchObject([
    { reversal: { referenceNumber: id, reversalReference: 'rf-1', amount: { amountMinor: 2_500n } } },
  ]);
  api.events.length = 0;
  expect(await asked(plaidEvent('refund.returned', { event_id: '2', refund_id: 'rf-1' }))).toMatchObject([
    { payment: { referenceNumber: 'rf-1:returned', amount: { amountMinor: 2_500n } } },
  ]);
  api.events.length = 0;
  await expect(asked(plaidEvent('refund.settled', { event_id: '3', refund_id: 'rf-9' }))).rejects.toThrow(
    'transfer.refunds',
  );
});

test('a transfer whose loan is not named is refused for good, one that cannot be asked for is asked again', async () => {
  api.transfers.set(id, plaidTransfer({ metadata: { cif: 'C' } }));
  await expect(asked(plaidEvent('settled'))).rejects.toThrow('transfer.metadata.loan_account_number');
  api.transfers.clear();
  await expect(asked(plaidEvent('settled', { event_id: '2' }))).rejects.toThrow(ProviderFault);
});
