// The scheme that docs/add-a-channel.md shows is a file that compiles, and it does what the page says of it.

import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import * as z from 'zod/mini';
import { schemes } from '../../shared/payments/schemes.ts';
import { acme } from './example-channel.ts';
import { read } from './repository.ts';

const document = read('docs/add-a-channel.md');
const blocks = [...document.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code);

/** Shorter paths break lines elsewhere; the words are the same. */
const words = (code = '') => code.replace(/\s+/g, ' ').replaceAll(/,? (?=[})])/g, ' ');

test('the page shows the example as it is compiled, in the place where it would stand', () => {
  const inPlace = read('test/tidy/example-channel.ts')
    .replaceAll("'../../shared/payments/channels/", "'./")
    .replaceAll("'../../shared/payments/", "'../")
    .replaceAll("'../../shared/", "'../../");
  expect(words(blocks[0])).toBe(words(inPlace));
});

test('the line names every scheme that there is, and the new one', () => {
  expect(blocks[1]).toBe(
    `export const schemes = { ${[...Object.keys(schemes), 'acme'].join(', ')} } as const;\n`,
  );
});

const channel = {
  ...z.object(acme.settings).parse({}),
  ...{ name: 'acme', namespace: 'default', conflict: 200 as const, allow: [], secrets: ['sixteen-letters!'] },
};
const business = { timeZone: 'UTC', currency: 'EUR' };
const bytes = (text: string) => Uint8Array.from(Buffer.from(text));
const settled = JSON.stringify({
  id: 'ev-1',
  type: 'transfer.settled',
  transfer_id: 'tr-1',
  amount: '100.50',
  currency: 'EUR',
  settled_at: '2026-11-20T10:00:00Z',
  metadata: { loan_account_number: 'LN-1', cif: 'C-1' },
});

test('it verifies and reads', async () => {
  const signature = createHmac('sha256', 'sixteen-letters!').update(settled).digest('hex');
  const verified = (body: string) => acme.verify(channel, { header: () => signature, body: bytes(body) });
  expect(await verified(settled)).toEqual({ ok: true, value: undefined });
  expect(await verified(`${settled} `)).toEqual({ ok: false, refusal: 'mismatch' });
  expect(acme.parse(bytes(settled), channel, business)).toMatchObject({
    value: {
      arrivals: [{ kind: 'payment', payment: { referenceNumber: 'tr-1', amount: { amountMinor: 10_050n } } }],
    },
  });
  const bounced = '{"id":"ev-2","type":"transfer.bounced","transfer_id":"tr-1","bounced_at":"2026-11-21"}';
  expect(acme.parse(bytes(bounced), channel, business)).toMatchObject({
    value: { arrivals: [{ kind: 'reversal', reversal: { reversalReference: 'ev-2', amount: null } }] },
  });
  expect(acme.parse(bytes('{"type":"transfer.created"}'), channel, business)).toMatchObject({
    value: { arrivals: [], ignored: ['transfer.created'] },
  });
  expect(acme.parse(bytes('{"type":"transfer.settled"}'), channel, business)).toMatchObject({ ok: false });
});
