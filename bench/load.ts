// A load generator that costs little: keep-alive sockets, requests made beforehand, answers read just far enough to
// know their status. One request at a time per socket, as a webhook sender does it.

import { connect } from 'node:net';

export interface LoadResult {
  /** Answers by HTTP status. */
  statuses: Map<number, number>;
  latenciesMs: number[];
  seconds: number;
}

/** Sends requests from `next` over `connections` sockets until it gives none or the time is over. */
export async function load(
  target: { host: string; port: number },
  connections: number,
  seconds: number,
  next: () => Buffer | undefined,
): Promise<LoadResult> {
  const statuses = new Map<number, number>();
  const latenciesMs: number[] = [];
  const startedAt = performance.now();
  const until = startedAt + seconds * 1000;
  await Promise.all(
    Array.from({ length: connections }, () =>
      converse(target, until, next, (status, ms) => {
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        latenciesMs.push(ms);
      }),
    ),
  );
  return { statuses, latenciesMs, seconds: (performance.now() - startedAt) / 1000 };
}

const answerWithinMs = 30_000;

function converse(
  { host, port }: { host: string; port: number },
  until: number,
  next: () => Buffer | undefined,
  done: (status: number, ms: number) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true, timeout: answerWithinMs });
    let received = '';
    let sentAt = 0;
    const send = () => {
      const request = performance.now() < until ? next() : undefined;
      if (!request) return socket.end(resolve);
      sentAt = performance.now();
      socket.write(request);
    };
    socket.on('connect', send);
    socket.on('timeout', () => socket.destroy(new Error(`no answer within ${answerWithinMs} ms`)));
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
      const head = received.indexOf('\r\n\r\n');
      if (head < 0) return;
      const length = /\r\ncontent-length: (\d+)/i.exec(received.slice(0, head + 2))?.[1];
      if (length === undefined) return socket.destroy(new Error('an answer without content-length'));
      if (received.length < head + 4 + Number(length)) return;
      done(Number(received.slice(9, 12)), performance.now() - sentAt);
      received = '';
      send();
    });
  });
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}
