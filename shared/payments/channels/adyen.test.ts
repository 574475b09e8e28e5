import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { schemeOf } from '../channel.ts';
import { verifySignature } from '../verify-signature.ts';
import { bytesOf, channelOf, faultsOf, now, parse, verdict } from './testing.ts';

const secret = '44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056';
const previous = '00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF';
const channel = channelOf('adyen', {}, { secret });
const manual = channelOf('adyen', { capture: 'manual' }, { secret });

interface Item {
  pspReference?: string;
  originalReference?: string;
  merchantAccountCode?: string;
  merchantReference?: string;
  amount?: { value: number; currency: string };
  eventCode?: string;
  success?: string | boolean;
  additionalData?: Record<string, string>;
  [other: string]: unknown;
}
/** The colon-joined fields as Adyen documents them, signed by node:crypto. */
function sign(item: Item, by = secret): Item {
  const {
    pspReference,
    originalReference,
    merchantAccountCode,
    merchantReference,
    amount,
    eventCode,
    success,
  } = item;
  const text = [
    pspReference,
    originalReference,
    merchantAccountCode,
    merchantReference,
    amount?.value,
    amount?.currency,
    eventCode,
    success,
  ]
    .map((field) => field ?? '')
    .join(':');
  const hmacSignature = createHmac('sha256', Buffer.from(by, 'hex')).update(text).digest('base64');
  return { ...item, additionalData: { ...item.additionalData, hmacSignature } };
}
const authorisation = (over: Item = {}): Item => ({
  amount: { currency: 'EUR', value: 10050 },
  eventCode: 'AUTHORISATION',
  eventDate: '2026-11-23T10:59:40+01:00',
  merchantAccountCode: 'TestMerchant',
  merchantReference: 'order:7',
  operations: ['CANCEL', 'CAPTURE', 'REFUND'],
  paymentMethod: 'visa',
  pspReference: 'QFQTPCQ8HXSKGK82',
  reason: '033899:1111:03/2030',
  success: 'true',
  ...over,
  additionalData: {
    'metadata.loan_account_number': 'LN00001234',
    'metadata.cif': 'CIF000077',
    cardSummary: '1111',
    ...over.additionalData,
  },
});
/** An event about that payment. */
const later = (eventCode: string, over: Item = {}): Item =>
  authorisation({
    eventCode,
    pspReference: 'ZQ5XJKLM7TZ2VN85',
    originalReference: 'QFQTPCQ8HXSKGK82',
    ...over,
  });
const message = (...items: unknown[]) => ({
  live: 'true',
  notificationItems: items.map((item) => ({ NotificationRequestItem: item })),
});
const signedBody = (...items: Item[]) => JSON.stringify(message(...items));

describe('its signature', () => {
  test('is good for what was signed, whatever the fields hold', async () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(text, text, fc.nat(), async (merchantReference, merchantAccountCode, value) => {
        const item = sign(
          authorisation({ merchantReference, merchantAccountCode, amount: { value, currency: 'EUR' } }),
        );
        expect(await verdict(channel, {}, signedBody(item))).toBe('ok');
      }),
      { numRuns: 30 },
    );
  });

  test.each([
    ['pspReference', 'QFQTPCQ8HXSKGK83'],
    ['originalReference', 'X'],
    ['merchantAccountCode', 'OtherMerchant'],
    ['merchantReference', 'order:8'],
    ['amount', { value: 10051, currency: 'EUR' }],
    ['amount', { value: 10050, currency: 'USD' }],
    ['eventCode', 'REFUND'],
    ['success', 'false'],
  ])('covers %s: changed to %j it is refused', async (name, value) => {
    expect(await verdict(channel, {}, signedBody({ ...sign(authorisation()), [name]: value }))).toBe(
      'mismatch',
    );
  });

  test('may be written with a boolean for success', async () => {
    expect(await verdict(channel, {}, signedBody(sign(authorisation({ success: true }))))).toBe('ok');
  });

  test('while a key is rotated both are good, a stranger’s is not', async () => {
    const rotating = channelOf('adyen', {}, { secret, previous });
    expect(await verdict(rotating, {}, signedBody(sign(authorisation(), previous)))).toBe('ok');
    expect(await verdict(rotating, {}, signedBody(sign(authorisation())))).toBe('ok');
    expect(await verdict(channel, {}, signedBody(sign(authorisation(), previous)))).toBe('mismatch');
  });

  test('belongs to each item: the signed ones are taken, the others are counted', async () => {
    const forged = { ...sign(authorisation({ pspReference: 'A' })), success: 'false' };
    const unsigned = authorisation({ pspReference: 'B' });
    const good = sign(authorisation());
    const body = signedBody(forged, good, unsigned);
    const verified = await verifySignature(channel, { header: () => undefined, body: bytesOf(body) }, now);
    expect(verified).toMatchObject({ ok: true, value: { unsigned: 2 } });
    const part = verified.ok && verified.value ? verified.value.body : bytesOf('');
    expect(schemeOf(channel).parse(part, channel, { timeZone: 'UTC', currency: 'EUR' })).toMatchObject({
      value: { arrivals: [{ payment: { referenceNumber: 'QFQTPCQ8HXSKGK82' } }] },
    });
  });

  test.each([
    ['{', 'missing_header'],
    ['{}', 'missing_header'],
    ['{"notificationItems":{}}', 'missing_header'],
    ['{"notificationItems":[null,5]}', 'missing_header'],
    [signedBody(authorisation()), 'missing_header'],
    [signedBody(authorisation({ additionalData: { hmacSignature: '*' } })), 'missing_header'],
    [signedBody(authorisation({ additionalData: { hmacSignature: 'AAAA' } })), 'mismatch'],
  ])('%s: %s', async (body, expected) => {
    expect(await verdict(channel, {}, body)).toBe(expected);
    expect(await verdict(channelOf('adyen'), {}, body)).toBe('no_secret');
  });
});

test.each(['whsec_0123456789', 'ABC', secret.slice(1), `${secret.slice(2)}zz`])(
  '%j is no HMAC key',
  (wrong) => {
    expect(() => channelOf('adyen', {}, { secret: wrong })).toThrow('expected the HMAC key');
  },
);

const read = (item: Item, of: typeof channel = channel) => {
  const parsed = parse(of, message(item));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.refusal));
  return parsed.value;
};

test('an authorisation that succeeded is a payment, where Adyen captures by itself', () => {
  expect(read(authorisation())).toEqual({
    arrivals: [
      {
        kind: 'payment',
        payment: {
          namespace: 'default',
          referenceNumber: 'QFQTPCQ8HXSKGK82',
          loanAccountNumber: 'LN00001234',
          cif: 'CIF000077',
          amount: { amountMinor: 10_050n, currency: 'EUR' },
          paymentDate: new Date('2026-11-23T09:59:40.000Z'),
          paidOn: '2026-11-23',
          paymentChannel: 'psp',
          metadata: '{"loan_account_number":"LN00001234","cif":"CIF000077","merchantReference":"order:7"}',
          requiresReceipt: false,
          source: 'webhook',
          actor: 'channel:psp',
        },
      },
    ],
    ignored: [],
    rejected: [],
  });
});

const payment = { kind: 'payment', payment: { referenceNumber: 'QFQTPCQ8HXSKGK82' } };
const failure = { kind: 'failure', failure: { referenceNumber: 'QFQTPCQ8HXSKGK82' } };
const reversal = {
  kind: 'reversal',
  reversal: {
    referenceNumber: 'QFQTPCQ8HXSKGK82',
    reversalReference: 'ZQ5XJKLM7TZ2VN85',
    amount: { amountMinor: 10_050n },
  },
};
const ofAll = {
  kind: 'reversal',
  reversal: { referenceNumber: 'QFQTPCQ8HXSKGK82', reversalReference: 'ZQ5XJKLM7TZ2VN85', amount: null },
};
const named = (code: string, kind: object) => ({
  ...kind,
  reversal: { reversalReference: `ZQ5XJKLM7TZ2VN85:${code}` },
});
const back = (code: string) => ({
  kind: 'payment',
  payment: { referenceNumber: `ZQ5XJKLM7TZ2VN85:${code}` },
});

test.each<[string, boolean, object | undefined, object | undefined]>([
  ['AUTHORISATION', true, payment, undefined],
  ['AUTHORISATION', false, failure, failure],
  ['CAPTURE', true, undefined, payment],
  ['CAPTURE', false, undefined, failure],
  ['CAPTURE_FAILED', true, ofAll, ofAll],
  ['CANCELLATION', true, ofAll, undefined],
  ['CANCELLATION', false, undefined, undefined],
  ['TECHNICAL_CANCEL', true, ofAll, undefined],
  ['CANCEL_OR_REFUND', true, ofAll, ofAll],
  ['CANCEL_OR_REFUND', false, undefined, undefined],
  ['REFUND', true, reversal, reversal],
  ['REFUND', false, undefined, undefined],
  ['CHARGEBACK', true, reversal, reversal],
  [
    'SECOND_CHARGEBACK',
    true,
    named('SECOND_CHARGEBACK', { kind: 'reversal' }),
    named('SECOND_CHARGEBACK', { kind: 'reversal' }),
  ],
  ['REFUND_FAILED', true, back('REFUND_FAILED'), back('REFUND_FAILED')],
  ['REFUNDED_REVERSED', true, back('REFUNDED_REVERSED'), back('REFUNDED_REVERSED')],
  ['CHARGEBACK_REVERSED', true, back('CHARGEBACK_REVERSED'), back('CHARGEBACK_REVERSED')],
  ['NOTIFICATION_OF_CHARGEBACK', true, undefined, undefined],
  ['SOMETHING_NEW', true, undefined, undefined],
])('%s, success %s', (eventCode, success, automatically, manually) => {
  const of = { success: String(success) };
  const item = eventCode === 'AUTHORISATION' ? authorisation(of) : later(eventCode, of);
  const expected = (arrival: object | undefined) =>
    arrival
      ? { arrivals: [arrival], ignored: [], rejected: [] }
      : { arrivals: [], ignored: [eventCode], rejected: [] };
  expect(read(item)).toMatchObject(expected(automatically));
  expect(read(item, manual)).toMatchObject(expected(manually));
});

test('what was captured by hand and then cancelled was only an authorisation', () => {
  const item = later('CANCEL_OR_REFUND', { additionalData: { 'modification.action': 'cancel' } });
  expect(read(item, manual).arrivals).toEqual([]);
  expect(read(item).arrivals).toMatchObject([ofAll]);
});

test.each([
  ['EUR', 10050, 10_050n],
  ['JPY', 500, 500n],
  ['KWD', 5120, 5_120n],
  ['CLP', 50000, 500n],
  ['ISK', 50000, 500n],
  ['CVE', 5, 500n],
  ['IDR', 5, 500n],
])('%s %d has Adyen’s decimals', (currency, value, amountMinor) => {
  expect(read(authorisation({ amount: { value, currency } }))).toMatchObject({
    arrivals: [{ payment: { amount: { amountMinor, currency } } }],
  });
  if (currency === 'ISK')
    expect(faultsOf(channel, message(authorisation({ amount: { value: 1, currency } })))).toEqual([
      'amount.value',
    ]);
});

test('one item that cannot be read takes no other along, and is a body of its own', () => {
  const bad = authorisation({ pspReference: 'BAD', additionalData: { 'metadata.loan_account_number': '' } });
  const parsed = parse(channel, message(authorisation({ pspReference: 'A' }), bad, later('REFUND')));
  if (!parsed.ok) throw new Error('refused');
  expect(parsed.value.arrivals).toMatchObject([{ payment: { referenceNumber: 'A' } }, { kind: 'reversal' }]);
  const [part] = parsed.value.rejected;
  expect(part?.refusal).toMatchObject({ faults: [{ field: 'additionalData.metadata.loan_account_number' }] });
  // Mended, the part is read like any message.
  expect(
    parse(
      channel,
      part?.body.replace('"metadata.loan_account_number":""', '"metadata.loan_account_number":"L"'),
    ),
  ).toMatchObject({
    value: { arrivals: [{ payment: { referenceNumber: 'BAD', loanAccountNumber: 'L' } }] },
  });
});

test('the merchant reference may name the loan', () => {
  const byReference = channelOf('adyen', { loanAccountField: 'merchantReference' }, { secret });
  expect(read(authorisation(), byReference)).toMatchObject({
    arrivals: [{ payment: { loanAccountNumber: 'order:7' } }],
  });
});

test('a message without items is refused', () => {
  expect(faultsOf(channel, { live: 'true', notificationItems: [] })).toEqual(['notificationItems']);
  expect(faultsOf(channel, [])).toEqual(['notificationItems']);
});
