import { expect, test } from 'vitest';
import { readBody } from './read-body.ts';

const limit = 10;
const bytes = (text: string) => new TextEncoder().encode(text);

/** A request whose body comes in these chunks; what was read of it and whether it was given up can be seen. */
function request(chunks: readonly (string | Error)[], { ends = true, headers = {} } = {}) {
  const seen = { cancelled: false, pulled: 0 };
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const chunk = chunks[seen.pulled];
        if (chunk instanceof Error) controller.error(chunk);
        else if (chunk !== undefined) controller.enqueue(bytes(chunk));
        else if (ends) controller.close();
        else return new Promise<void>(() => {});
        seen.pulled += 1;
      },
      cancel() {
        seen.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { seen, request: new Request('http://test/', { method: 'POST', body, headers, duplex: 'half' }) };
}
const read = (from: Request, timeoutMs = 5_000) => readBody(from, limit, timeoutMs);

test.each([
  ['in one piece', ['0123456789']],
  ['in several', ['012', '', '345', '6789']],
  ['in none', []],
])('a body up to the limit is read byte for byte, %s', async (_, chunks) => {
  const { request: given } = request(chunks);
  expect(await read(given)).toEqual({ ok: true, value: bytes(chunks.join('')) });
});

test('a request without a body has an empty one', async () => {
  expect(await read(new Request('http://test/', { method: 'POST' }))).toEqual({
    ok: true,
    value: new Uint8Array(),
  });
});

test('a body that says it is too large is not read at all', async () => {
  const { request: given, seen } = request(['x'], { headers: { 'content-length': '11' } });
  expect(await read(given)).toEqual({ ok: false, refusal: 'body_too_large' });
  expect(seen.pulled).toBe(0);
});

test.each([
  ['says nothing of its size', {}],
  ['says its size in words', { 'content-length': 'five' }],
])('a body that %s is given up at the first byte too many', async (_, headers) => {
  const { request: given, seen } = request(['01234', '56789', '0', 'never read'], { headers });
  expect(await read(given)).toEqual({ ok: false, refusal: 'body_too_large' });
  expect(seen).toEqual({ cancelled: true, pulled: 3 });
});

test('a body that lies about its size, which no runtime lets through, is refused all the same', async () => {
  const { request: given } = request(['01234', '56789', '0'], { headers: { 'content-length': '5' } });
  expect(await read(given)).toEqual({ ok: false, refusal: 'body_too_large' });
});

test('a body that stops coming is given up when its time is over', async () => {
  const { request: given, seen } = request(['012'], { ends: false });
  const started = performance.now();
  expect(await read(given, 50)).toEqual({ ok: false, refusal: 'request_timeout' });
  expect(performance.now() - started).toBeGreaterThan(40);
  expect(seen.cancelled).toBe(true);
});

test('a body that drips has the time of the whole, not of each drop', async () => {
  const dripping = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, 30));
      controller.enqueue(bytes(''));
    },
  });
  const given = new Request('http://test/', { method: 'POST', body: dripping, duplex: 'half' });
  expect(await read(given, 100)).toEqual({ ok: false, refusal: 'request_timeout' });
});

test('a sender that hangs up half-way is refused like one that is too slow', async () => {
  const { request: given } = request(['012', new Error('aborted')]);
  expect(await read(given)).toEqual({ ok: false, refusal: 'request_timeout' });
});
