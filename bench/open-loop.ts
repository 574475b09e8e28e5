// Sends at a pace that does not wait for answers: a request is due at its time, and its latency counts from then, so
// that a server which stalls is seen to stall. Sockets are kept; a request that is due while all are busy waits in line.

import { connect, type Socket } from 'node:net';

export interface OpenLoop {
  host: string;
  port: number;
  perSecond: number;
  seconds: number;
  connections: number;
  /** The nth request, made when it is due. */
  request: (n: number) => Buffer;
  /** `status` is undefined when no answer came. */
  answered: (n: number, status: number | undefined, ms: number) => void;
}

const answerWithinMs = 30_000;
const tickMs = 2;

/** Resolves when every request is answered or given up. */
export async function sendAtPace(loop: OpenLoop): Promise<void> {
  const total = Math.round(loop.perSecond * loop.seconds);
  const line: number[] = [];
  const startedAt = performance.now();
  const dueAt = (n: number) => startedAt + (n * 1_000) / loop.perSecond;
  let next = 0;
  let open = total;
  await new Promise<void>((resolve) => {
    const idle: Sender[] = [];
    const finish = (n: number, status: number | undefined, sender: Sender) => {
      loop.answered(n, status, performance.now() - dueAt(n));
      open -= 1;
      const waiting = line.shift();
      if (waiting !== undefined) sender.send(waiting);
      else idle.push(sender);
      if (open > 0) return;
      for (const each of idle) each.end();
      clearInterval(timer);
      resolve();
    };
    for (let i = 0; i < loop.connections; i++) idle.push(senderTo(loop, finish));
    const timer = setInterval(() => {
      for (; next < total && dueAt(next) <= performance.now(); next++) {
        const sender = idle.pop();
        if (sender) sender.send(next);
        else line.push(next);
      }
    }, tickMs);
  });
}

interface Sender {
  send(n: number): void;
  end(): void;
}

/** One socket, made when it is needed and again after it is lost; one request at a time. */
function senderTo(
  { host, port, request }: OpenLoop,
  finish: (n: number, status: number | undefined, sender: Sender) => void,
): Sender {
  let socket: Socket | undefined;
  let sent: number | undefined;
  let received = '';
  const done = (status: number | undefined) => {
    received = '';
    const n = sent;
    sent = undefined;
    if (n !== undefined) finish(n, status, sender);
  };
  const open = (): Socket => {
    const opened = connect({ host, port, noDelay: true, timeout: answerWithinMs });
    opened.on('timeout', () => opened.destroy());
    opened.on('error', () => {});
    opened.on('close', () => {
      if (socket === opened) socket = undefined;
      done(undefined);
    });
    opened.on('data', (chunk) => {
      received += chunk.toString('latin1');
      const head = received.indexOf('\r\n\r\n');
      if (head < 0) return;
      const length = /\r\ncontent-length: (\d+)/i.exec(received.slice(0, head + 2))?.[1];
      if (length === undefined) opened.destroy();
      else if (received.length >= head + 4 + Number(length)) done(Number(received.slice(9, 12)));
    });
    return opened;
  };
  const sender: Sender = {
    send(n) {
      sent = n;
      socket ??= open();
      socket.write(request(n));
    },
    end: () => socket?.end(),
  };
  return sender;
}
