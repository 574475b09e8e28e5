// Transactions as server-sent events: each as it comes, a comment when nothing has come for a while, and at the end, when
// the ledger has broken off, a problem. Nothing is read from the ledger that the client has not asked for; a client that
// takes nothing for too long is given up.

import { setTimeout as sleep } from 'node:timers/promises';

export interface EventStreamOptions<T> {
  source: AsyncIterable<T>;
  write: (item: T) => { id: string; data: unknown };
  /** The last event, of a fault. */
  writeFault: (error: unknown) => unknown;
  heartbeatMs: number;
  slowReaderMs: number;
  /** Closes the connection: what is on its way cannot be taken back otherwise. */
  drop: () => void;
  /** Ends it; the client comes back. */
  stopping: AbortSignal;
  /** Called once, whoever ended it. */
  ended: () => void;
}

/** After so many milliseconds a client comes back. */
const retryMs = 2_000;

const message = (event: string, data: unknown, id?: string) =>
  `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;

export function eventStream<T>(options: EventStreamOptions<T>): ReadableStream<Uint8Array> {
  const iterator = options.source[Symbol.asyncIterator]();
  const encoder = new TextEncoder();
  let coming: Promise<IteratorResult<T>> | undefined;
  let hasBegun = false;
  let isOver = false;
  let reading: NodeJS.Timeout | undefined;
  const stopped = new Promise<'stopped'>((resolve) => {
    if (options.stopping.aborted) resolve('stopped');
    options.stopping.addEventListener('abort', () => resolve('stopped'), { once: true });
  });

  const end = () => {
    clearTimeout(reading);
    if (isOver) return;
    isOver = true;
    options.ended();
  };

  /** The next text; undefined at the end. */
  const next = async (): Promise<string | undefined> => {
    if (!hasBegun) {
      hasBegun = true;
      return `retry: ${retryMs}\n\n`;
    }
    const pause = new AbortController();
    try {
      coming ??= iterator.next();
      const silence = sleep(options.heartbeatMs, 'silence' as const, { signal: pause.signal });
      silence.catch(() => {});
      const found = await Promise.race([coming, silence, stopped]);
      if (found === 'silence') return ':\n\n';
      if (found === 'stopped') return undefined;
      coming = undefined;
      if (found.done) return undefined;
      const { id, data } = options.write(found.value);
      return message('transaction', data, id);
    } finally {
      pause.abort();
    }
  };

  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        clearTimeout(reading);
        try {
          const text = await next();
          if (text === undefined) {
            controller.close();
            return end();
          }
          controller.enqueue(encoder.encode(text));
          reading = setTimeout(() => {
            options.drop();
            end();
          }, options.slowReaderMs);
        } catch (error) {
          if (!isOver) controller.enqueue(encoder.encode(message('problem', options.writeFault(error))));
          controller.close();
          end();
        }
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  );
}
