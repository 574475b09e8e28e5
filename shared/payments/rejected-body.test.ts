import { expect, test } from 'vitest';
import { rejectedBody } from './rejected-body.ts';

const keep = (body: string | Uint8Array, identifiers: string[] = []) =>
  rejectedBody(
    {
      channel: 'bank',
      body,
      refusal: {
        kind: 'invalid',
        faults: [{ field: 'metadata.4111111111111111', code: 'invalid', message: 'm' }],
      },
      requestId: 'request-1',
    },
    identifiers,
  );

test('a body in which nothing is to be masked is kept as it was written', async () => {
  const body = '{ "amount" : 1.500,\r\n "cif":"4111111111111111" }';
  expect(await keep(body)).toMatchObject({
    body,
    masked: false,
    altered: false,
    channel: 'bank',
    requestId: 'request-1',
  });
});

test('card data is masked value by value, identifiers of the scheme are not', async () => {
  const body = '{"id":"4111111111111111","note":"4111 1111 1111 1111","cvc":123,"amount":1.500}';
  expect(await keep(body, ['id'])).toMatchObject({
    body: '{"id":"4111111111111111","note":"[card 1111]","cvc":"***","amount":1.500}',
    masked: true,
    altered: false,
  });
});

test('what is no JSON is masked as text, and no longer says what was sent', async () => {
  expect(await keep('{"cif":"4111111111111111"')).toMatchObject({
    body: '{"cif":"[card 1111]"',
    masked: true,
    altered: true,
  });
  expect(await keep('{"cif":')).toMatchObject({ masked: false, altered: false });
});

test('bytes that are no text, and what Postgres cannot keep, are replaced', async () => {
  expect(await keep(Uint8Array.from([0x61, 0xff, 0x00, 0x62]))).toMatchObject({
    body: 'a\ufffd\ufffdb',
    masked: false,
  });
});

test('the hash is that of what is kept, so that it tells nothing of what was masked', async () => {
  const hashOf = async (body: string) => (await keep(body)).bodyHash;
  expect(await hashOf('{"note":"4111111111111111"}')).toBe(await hashOf('{"note":"4200555555551111"}'));
  expect(await hashOf('{"note":"a"}')).not.toBe(await hashOf('{"note":"b"}'));
});

test('a fault that names its field by what was sent is masked too', async () => {
  expect((await keep('{}')).refusal).toMatchObject({ faults: [{ field: 'metadata.[card 1111]' }] });
});
