import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';
import { standardChannel } from '../testing.ts';
import { verifySignature } from '../verify-signature.ts';

const [secret, previous, stranger] = [1, 2, 3].map(
  (n) => `whsec_${Buffer.alloc(24 + n, n).toString('base64')}`,
) as [string, string, string];
const now = new Date('2026-11-23T10:00:00.500Z');
const seconds = (offset = 0) => Math.floor(now.getTime() / 1000) + offset;
const text = '{"reference_number": "REF-1", "amount": 100.50}';

interface Sent {
  body: string | Uint8Array;
  headers: Record<string, string>;
}
/** Signed by the official library. */
function signed(body: string, by = [secret], at = seconds()): Sent {
  const signatures = by.map((one) => new Webhook(one).sign('msg_1', new Date(at * 1000), body));
  const headers = {
    'webhook-id': 'msg_1',
    'webhook-timestamp': String(at),
    'webhook-signature': signatures.join(' '),
  };
  return { body, headers };
}
async function verdict({ body, headers }: Sent, secrets = [secret]): Promise<string> {
  const request = {
    header: (name: string) => headers[name],
    body: Uint8Array.from(typeof body === 'string' ? Buffer.from(body) : body),
  };
  const verified = await verifySignature(standardChannel({ secrets }), request, now);
  return verified.ok ? 'ok' : verified.refusal;
}
const withHeaders = (over: Record<string, string | undefined>): Sent => {
  const { body, headers } = signed(text);
  const entries = Object.entries({ ...headers, ...over }).filter(([, value]) => value !== undefined);
  return { body, headers: Object.fromEntries(entries) as Record<string, string> };
};
const signature = signed(text).headers['webhook-signature'] as string;

test('what the official library signs is accepted, whatever the body', async () => {
  const anyBody = fc.oneof(fc.json(), fc.string({ unit: 'grapheme' }));
  await fc.assert(
    fc.asyncProperty(anyBody, async (body) => {
      expect(await verdict(signed(body))).toBe('ok');
    }),
  );
});

test.each([
  '{"amount":100.50,"cif":"1"}',
  '{"cif":"1","amount":100.50}',
  '{ "amount" : 100.50 }',
  '{"amount":100.5}',
  '{"amount":1.005e2}',
  '{"name":"Zoë 漢字 😀"}',
  '{"name":"Zo\\u00eb"}',
  '{}\r\n',
  '\uFEFF{}',
  '',
])('the body %j is verified as it was sent', async (body) => {
  expect(await verdict(signed(body))).toBe('ok');
});

test('bytes that are no text are signed as bytes', async () => {
  const body = Uint8Array.from([0, 255, 0xc3, 0x28, 10]);
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const digest = createHmac('sha256', key).update(`msg_1.${seconds()}.`).update(body).digest('base64');
  expect(await verdict({ ...withHeaders({ 'webhook-signature': `v1,${digest}` }), body })).toBe('ok');
});

test('nothing that was changed after signing is accepted, as by the official library', async () => {
  const place = fc.nat({ max: text.length - 1 });
  const change = fc.constantFrom('webhook-id', 'webhook-timestamp', 'body');
  const digit = fc.constantFrom(...'0123456789');
  await fc.assert(
    fc.asyncProperty(change, place, digit, async (what, at, to) => {
      const sent = signed(text);
      const before = what === 'body' ? text : (sent.headers[what] as string);
      const index = what === 'webhook-timestamp' ? before.length - 1 : at % before.length;
      const after = before.slice(0, index) + to + before.slice(index + 1);
      fc.pre(after !== before);
      if (what === 'body') sent.body = after;
      else sent.headers[what] = after;
      expect(() => new Webhook(secret).verify(String(sent.body), sent.headers)).toThrow();
      expect(await verdict(sent)).toBe('mismatch');
    }),
  );
  expect(await verdict({ ...signed(text), body: `${text} ` })).toBe('mismatch');
  expect(await verdict({ ...signed(text), body: '' })).toBe('mismatch');
});

test.each([
  [-301, 'expired'],
  [-299, 'ok'],
  [0, 'ok'],
  [300, 'ok'],
  [301, 'expired'],
])('a timestamp %d s from now is %s', async (offset, expected) => {
  expect(await verdict(signed(text, [secret], seconds(offset)))).toBe(expected);
});

test('while a secret is rotated, what either of the two signed is accepted, and nothing of a stranger', async () => {
  const both = [secret, previous];
  expect(await verdict(signed(text, [secret]), both)).toBe('ok');
  expect(await verdict(signed(text, [previous]), both)).toBe('ok');
  expect(await verdict(signed(text, [stranger]), both)).toBe('mismatch');
  expect(await verdict(signed(text, [previous]), [secret])).toBe('mismatch');
});

test('of several signatures one that we know is enough', async () => {
  expect(await verdict(signed(text, [stranger, secret]))).toBe('ok');
  expect(await verdict(signed(text, [secret, stranger]))).toBe('ok');
  expect(await verdict(signed(text, [stranger, previous]))).toBe('mismatch');
  expect(
    await verdict(withHeaders({ 'webhook-signature': `v1a,${'A'.repeat(86)} junk v1, v1,* ${signature}` })),
  ).toBe('ok');
});

test('a list of signatures is looked through up to a limit', async () => {
  const junk = Array(8).fill(`v1,${'A'.repeat(43)}=`);
  expect(await verdict(withHeaders({ 'webhook-signature': [...junk.slice(1), signature].join(' ') }))).toBe(
    'ok',
  );
  expect(await verdict(withHeaders({ 'webhook-signature': [...junk, signature].join(' ') }))).toBe(
    'mismatch',
  );
});

test.each([
  ['webhook-id', undefined, 'missing_header'],
  ['webhook-id', '', 'missing_header'],
  ['webhook-timestamp', undefined, 'missing_header'],
  ['webhook-timestamp', 'now', 'malformed_header'],
  ['webhook-timestamp', `${seconds()}.5`, 'malformed_header'],
  ['webhook-timestamp', ` ${seconds()}`, 'malformed_header'],
  ['webhook-timestamp', `-${seconds()}`, 'malformed_header'],
  ['webhook-timestamp', '1e9', 'malformed_header'],
  ['webhook-timestamp', '9'.repeat(13), 'malformed_header'],
  ['webhook-timestamp', String(seconds() * 1000).slice(0, 12), 'expired'],
  ['webhook-timestamp', '0', 'expired'],
  ['webhook-signature', undefined, 'missing_header'],
  ['webhook-signature', '', 'missing_header'],
  ['webhook-signature', 'junk', 'malformed_header'],
  ['webhook-signature', signature.slice('v1,'.length), 'malformed_header'],
  ['webhook-signature', signature.replace('v1,', 'v2,'), 'malformed_header'],
  ['webhook-signature', signature.replace('v1,', 'V1,'), 'malformed_header'],
  ['webhook-signature', 'v1,*', 'malformed_header'],
  ['webhook-signature', 'v1,', 'mismatch'],
  ['webhook-signature', signature.slice(0, -4), 'mismatch'],
  ['webhook-signature', `v1,${Buffer.alloc(64).toString('base64')}`, 'mismatch'],
])('the header %s as %j: %s', async (name, value, expected) => {
  expect(await verdict(withHeaders({ [name]: value }))).toBe(expected);
});

test('a channel without a secret accepts nothing', async () => {
  expect(await verdict(signed(text), [])).toBe('no_secret');
});
