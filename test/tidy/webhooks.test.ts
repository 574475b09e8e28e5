// The worked examples of docs/webhooks.md verify with the code that verifies webhooks.

import { describe, expect, test } from 'vitest';
import { readChannels } from '../../shared/payments/channel.ts';
import { createPaymentBodyReader } from '../../shared/payments/payment-body.ts';
import { verifySignature } from '../../shared/payments/verify-signature.ts';
import { read } from './repository.ts';

const document = read('docs/webhooks.md');
const examples = [...document.matchAll(/^```text\n(secret: .*?)^```$/gms)].map(([, lines = '']) =>
  Object.fromEntries(
    lines
      .trimEnd()
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf(': ')).toLowerCase(), line.slice(line.indexOf(': ') + 2)]),
  ),
);
const hmac = { scheme: 'hmac', header: 'X-Signature', prefix: 'sha256=' };
const configurations = [{ scheme: 'standard' }, { ...hmac, timestampHeader: 'X-Timestamp' }, hmac];

test('there is an example of each kind, with the configuration that the text names', () => {
  expect(examples).toHaveLength(configurations.length);
  expect(document).toContain(JSON.stringify(configurations[1]));
});

describe.each(configurations.map((configuration, i) => ({ configuration, example: examples[i] ?? {} })))(
  'the example of $configuration',
  ({ configuration, example }) => {
    const { channels } = readChannels(JSON.stringify({ example: configuration }), {
      CHANNEL_EXAMPLE_SECRET: example.secret,
    });
    const channel = channels.get('example')!;
    const verify = (body: string, at: Date) =>
      verifySignature(
        channel,
        { header: (name) => example[name.toLowerCase()], body: new TextEncoder().encode(body) },
        at,
      );
    const sentAt = new Date(example['sent at'] ?? '');

    test('verifies at its time, and not with another body', async () => {
      expect(await verify(example.body ?? '', sentAt)).toEqual({ ok: true, value: undefined });
      expect(await verify(`${example.body} `, sentAt)).toEqual({ ok: false, refusal: 'mismatch' });
    });

    test('has a body that is a payment', () => {
      const readBody = createPaymentBodyReader({ timeZone: 'UTC', currency: 'EUR' });
      const payment = readBody(new TextEncoder().encode(example.body), channel);
      expect(payment).toMatchObject({ ok: true, value: { amount: { amountMinor: 10_050n } } });
    });
  },
);

test('the channels of the configuration example are without a fault', () => {
  const [, json = ''] = /^```json\n(.*?)^```$/ms.exec(document) ?? [];
  expect(readChannels(json, {}).faults).toEqual([]);
});
