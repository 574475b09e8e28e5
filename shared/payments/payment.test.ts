import { expect, test } from 'vitest';
import { isUuid } from '../id.ts';
import { conflictNamespace, factsHash, paymentIdOf, recordedEventIdOf } from './payment.ts';
import { newPayment } from './testing.ts';

// Were one of these to change, every payment of before would be let in once more.
test('the id of a payment follows from namespace and reference, for good', async () => {
  expect(await paymentIdOf({ namespace: 'default', referenceNumber: 'REF-1' })).toBe(
    '0cd81f47-6393-54de-92d9-ef13591c7155',
  );
  expect(await paymentIdOf({ namespace: 'psp', referenceNumber: 'Zahlung – 1 €' })).toBe(
    '4f00ed93-6108-538e-92f0-2aa9f4e8aaec',
  );
  expect(await recordedEventIdOf('0cd81f47-6393-54de-92d9-ef13591c7155')).toBe(
    '9d36e029-3eb9-595d-b929-00b99c4bd34b',
  );
});

test('no two identities share an id, however their texts are cut', async () => {
  const identities = [
    ['a', 'bc'],
    ['ab', 'c'],
    ['a', 'b","c'],
    ['a","b', 'c'],
    ['', 'abc'],
    ['a', 'BC'],
    ['a', 'bc '],
  ];
  const ids = await Promise.all(
    identities.map(([namespace = '', referenceNumber = '']) => paymentIdOf({ namespace, referenceNumber })),
  );
  expect(new Set(ids).size).toBe(identities.length);
  expect(ids.every(isUuid)).toBe(true);
});

test('the facts are amount, currency, loan account and calendar date', async () => {
  const payment = newPayment();
  const same = await factsHash(payment);
  const other = [
    { amount: { amountMinor: 10_051n, currency: 'EUR' } },
    { amount: { amountMinor: 10_050n, currency: 'USD' } },
    { loanAccountNumber: 'LN-2' },
    { paidOn: '2026-11-24' },
  ];
  for (const facts of other) expect(await factsHash({ ...payment, ...facts })).not.toBe(same);
  const notFacts = {
    ...{
      referenceNumber: 'other',
      namespace: 'other',
      cif: 'other',
      paymentChannel: 'other',
      metadata: '{"a":1}',
    },
    paymentDate: new Date('2026-11-23T23:00:00Z'),
  };
  expect(await factsHash({ ...payment, ...notFacts })).toBe(same);
});

test('an accepted conflict has a namespace that it shares with nothing', () => {
  expect(conflictNamespace('1f')).toBe('conflict:1f');
});
