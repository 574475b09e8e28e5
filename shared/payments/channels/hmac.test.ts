import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ChannelOf, readChannels } from '../channel.ts';
import { standardChannel } from '../testing.ts';
import { verifySignature } from '../verify-signature.ts';

type Hmac = ChannelOf<'hmac'>;
const now = new Date('2026-11-23T10:00:00Z');
const seconds = now.getTime() / 1000;
const body = '{"amount":100.50,"name":"Zoë"}';
const secret = 'sixteen letters and an é';

const channelOf = (over: Partial<Hmac> = {}): Hmac => ({
  ...{ ...standardChannel(), scheme: 'hmac', secrets: [secret] },
  ...{ header: 'x-signature', algorithm: 'sha256', encoding: 'hex', prefix: '' },
  ...over,
});
/** The header as node:crypto computes it. */
const sign = (channel: Hmac, bytes: string | Uint8Array, { by = secret, at = '' } = {}) =>
  channel.prefix +
  createHmac(channel.algorithm, by)
    .update(channel.timestampHeader ? `${at}.` : '')
    .update(bytes)
    .digest(channel.encoding);
async function verdict(
  channel: Hmac,
  headers: Record<string, string | undefined>,
  bytes: string | Uint8Array = body,
): Promise<string> {
  const request = { header: (name: string) => headers[name], body: Uint8Array.from(Buffer.from(bytes)) };
  const verified = await verifySignature(channel, request, now);
  return verified.ok ? 'ok' : verified.refusal;
}

const variants = (['sha256', 'sha384', 'sha512'] as const).flatMap((algorithm) =>
  (['hex', 'base64'] as const).flatMap((encoding) =>
    ['', `${algorithm}=`].flatMap((prefix) =>
      [undefined, 'x-timestamp'].map((timestampHeader) => ({ algorithm, encoding, prefix, timestampHeader })),
    ),
  ),
);

test.each(variants)(
  '$algorithm, $encoding, prefix "$prefix", timestamp in $timestampHeader: as node:crypto has it',
  async (variant) => {
    const channel = channelOf(variant);
    const at = String(seconds);
    await fc.assert(
      fc.asyncProperty(fc.uint8Array(), fc.uint8Array(), async (bytes, others) => {
        const headers = { 'x-signature': sign(channel, bytes, { at }), 'x-timestamp': at };
        expect(await verdict(channel, headers, bytes)).toBe('ok');
        fc.pre(Buffer.compare(bytes, others) !== 0);
        expect(await verdict(channel, headers, others)).toBe('mismatch');
      }),
      { numRuns: 20 },
    );
  },
);

test('a signature by another algorithm, encoding or secret is refused', async () => {
  const channel = channelOf();
  for (const over of [{ algorithm: 'sha512' }, { algorithm: 'sha384' }] as const) {
    expect(await verdict(channel, { 'x-signature': sign(channelOf(over), body) })).toBe('mismatch');
  }
  expect(await verdict(channel, { 'x-signature': sign(channelOf({ encoding: 'base64' }), body) })).toBe(
    'malformed_header',
  );
  expect(await verdict(channel, { 'x-signature': sign(channel, body, { by: `${secret}!` }) })).toBe(
    'mismatch',
  );
});

test('while a secret is rotated both are good', async () => {
  const channel = channelOf({ secrets: [secret, 'the previous secret'] });
  expect(await verdict(channel, { 'x-signature': sign(channel, body) })).toBe('ok');
  expect(await verdict(channel, { 'x-signature': sign(channel, body, { by: 'the previous secret' }) })).toBe(
    'ok',
  );
  expect(await verdict(channel, { 'x-signature': sign(channel, body, { by: 'a stranger’s secret' }) })).toBe(
    'mismatch',
  );
});

test('hex digits are read in either case', async () => {
  expect(await verdict(channelOf(), { 'x-signature': sign(channelOf(), body).toUpperCase() })).toBe('ok');
});

const whole = sign(channelOf({ prefix: 'sha256=' }), body);
test.each([
  [undefined, 'missing_header'],
  ['', 'missing_header'],
  ['sha256=', 'malformed_header'],
  [whole.slice('sha256='.length), 'malformed_header'],
  [whole.replace('sha256=', 'SHA256='), 'malformed_header'],
  [`sha256=${whole}`, 'malformed_header'],
  [`${whole}, ${whole}`, 'malformed_header'],
  [`${whole} `, 'malformed_header'],
  [whole.slice(0, -1), 'malformed_header'],
  [whole.slice(0, -2), 'mismatch'],
  [`${whole}00`, 'mismatch'],
  [whole.replace(/.$/, (digit) => (digit === '0' ? '1' : '0')), 'mismatch'],
  ['sha256=zz', 'malformed_header'],
])('the header %j: %s', async (header, expected) => {
  expect(await verdict(channelOf({ prefix: 'sha256=' }), { 'x-signature': header })).toBe(expected);
});

const timed = channelOf({ timestampHeader: 'x-timestamp' });
test.each([
  [-301, 'expired'],
  [-300, 'ok'],
  [300, 'ok'],
  [301, 'expired'],
])('with a timestamp header, %d s from now is %s', async (offset, expected) => {
  const at = String(seconds + offset);
  expect(await verdict(timed, { 'x-signature': sign(timed, body, { at }), 'x-timestamp': at })).toBe(
    expected,
  );
});

test('a timestamp belongs to what is signed', async () => {
  const headers = {
    'x-signature': sign(timed, body, { at: String(seconds - 10) }),
    'x-timestamp': String(seconds),
  };
  expect(await verdict(timed, headers)).toBe('mismatch');
  expect(await verdict(timed, { ...headers, 'x-timestamp': undefined })).toBe('missing_header');
  expect(await verdict(timed, { ...headers, 'x-timestamp': '' })).toBe('missing_header');
  expect(await verdict(timed, { ...headers, 'x-timestamp': 'yesterday' })).toBe('malformed_header');
  expect(
    await verdict(timed, { 'x-signature': sign(channelOf(), body), 'x-timestamp': String(seconds) }),
  ).toBe('mismatch');
});

test('without a timestamp header nobody looks at one', async () => {
  expect(await verdict(channelOf(), { 'x-signature': sign(channelOf(), body), 'x-timestamp': '0' })).toBe(
    'ok',
  );
});

test('a channel without a secret accepts nothing, not even what an empty secret signs', async () => {
  const channel = channelOf({ secrets: [] });
  expect(await verdict(channel, { 'x-signature': sign(channel, body, { by: '' }) })).toBe('no_secret');
});

test('a sender that signs like GitHub needs its header and prefix named, and nothing else', async () => {
  const { channels, faults } = readChannels(
    '{"github": {"scheme": "hmac", "header": "X-Hub-Signature-256", "prefix": "sha256="}}',
    { CHANNEL_GITHUB_SECRET: "It's a Secret to Everybody" },
  );
  expect(faults).toEqual([]);
  // The example of GitHub's own documentation, "Validating webhook deliveries".
  const signature = 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17';
  const headers: Record<string, string> = { 'X-Hub-Signature-256': signature };
  const verified = (text: string) =>
    verifySignature(
      channels.get('github')!,
      { header: (name) => headers[name], body: Uint8Array.from(Buffer.from(text)) },
      now,
    );
  expect(await verified('Hello, World!')).toEqual({ ok: true, value: undefined });
  expect(await verified('Hello, World?')).toEqual({ ok: false, refusal: 'mismatch' });
});
