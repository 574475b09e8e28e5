import { expect, test } from 'vitest';
import { untilStopped } from './streams.ts';

const events = { headers: { 'content-type': 'text/event-stream' } };

/** Says one thing and then nothing. */
function endless() {
  const seen = { cancelled: false };
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new TextEncoder().encode('hello')),
    cancel() {
      seen.cancelled = true;
    },
  });
  return { body, seen };
}

test('a stream of events ends when the process is told to stop', async () => {
  const stopping = new AbortController();
  const { body, seen } = endless();
  const answer = untilStopped(new Response(body, events), stopping.signal);
  expect(answer.headers.get('content-type')).toBe('text/event-stream');
  const text = answer.text();
  stopping.abort();
  expect(await text).toBe('hello');
  expect(seen.cancelled).toBe(true);
});

test('one that its reader leaves is left', async () => {
  const { body, seen } = endless();
  await untilStopped(new Response(body, events), new AbortController().signal).body?.cancel();
  expect(seen.cancelled).toBe(true);
});

test('everything else is answered to its end', async () => {
  const answer = new Response('all of it', { headers: { 'content-type': 'text/plain' } });
  expect(untilStopped(answer, AbortSignal.abort())).toBe(answer);
});
