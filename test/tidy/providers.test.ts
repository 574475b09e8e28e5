// The providers' worked examples of docs/webhooks.md verify with the code that verifies webhooks, and become what the
// page says.

import { describe, expect, test } from 'vitest';
import { formatAmount } from '../../shared/money.ts';
import type { Arrival } from '../../shared/payments/arrival.ts';
import { apiNames, readChannels, schemeOf, secretNames } from '../../shared/payments/channel.ts';
import { schemes } from '../../shared/payments/schemes.ts';
import { verifySignature } from '../../shared/payments/verify-signature.ts';
import { read } from './repository.ts';

const document = read('docs/webhooks.md');
const examples = [...document.matchAll(/^```text\n(channel: .*?)^```$/gms)].map(([, lines = '']) => {
  const pairs = lines
    .trimEnd()
    .split('\n')
    .map((line) => [line.slice(0, line.indexOf(': ')).toLowerCase(), line.slice(line.indexOf(': ') + 2)]);
  return Object.fromEntries(pairs) as Record<string, string>;
});
const configurations = examples.map((example) => JSON.parse(example.channel ?? '{}'));

test('every provider has an example', () => {
  const own = Object.entries(schemes).flatMap(([name, { single }]) => (single ? [] : [name]));
  expect(configurations.map(({ scheme }) => scheme)).toEqual(own);
});

const told = (arrival: Arrival) => {
  if (arrival.kind === 'notice')
    return `notice ${arrival.notice.noticeReference} about ${arrival.notice.subject}`;
  if (arrival.kind !== 'payment') return arrival.kind;
  const { referenceNumber, amount } = arrival.payment;
  return `payment ${referenceNumber} of ${formatAmount(amount)} ${amount.currency}`;
};

describe.each(examples.map((example, i) => ({ example, configuration: configurations[i] })))(
  'the example of $configuration.scheme',
  ({ example, configuration }) => {
    const { channels, faults } = readChannels(JSON.stringify({ example: configuration }), {
      [secretNames('example')[0]]: example.secret,
      [apiNames('example')[1]]: 'a-token',
    });
    const channel = channels.get('example')!;
    const body = new TextEncoder().encode(example.body);
    const verify = (bytes: Uint8Array<ArrayBuffer>) =>
      verifySignature(
        channel,
        { header: (name) => example[name], body: bytes },
        new Date(example['sent at'] ?? ''),
        async () => Response.json({ key: JSON.parse(example.key ?? '{}'), request_id: 'example' }),
      );

    test('is configured without a fault, verifies at its time, and not with another body', async () => {
      expect(faults).toEqual([]);
      expect(await verify(body)).toMatchObject({ ok: true });
      const changed = (example.body ?? '').replace(/10050|"environment":"p|PM00/, (found) => `${found}0`);
      expect(changed).not.toBe(example.body);
      expect(await verify(new TextEncoder().encode(changed))).toEqual({ ok: false, refusal: 'mismatch' });
    });

    test('becomes what the page says', () => {
      const parsed = schemeOf(channel).parse(body, channel, { timeZone: 'UTC', currency: 'EUR' });
      expect(parsed.ok && parsed.value.arrivals.map(told)).toEqual([example.becomes]);
    });
  },
);
