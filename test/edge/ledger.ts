// For tests only: the ledger and its gateway, both real, behind a way that can be cut off, slow or lossy on command. They are
// started when they are first asked for something.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { openPool } from '../../containers/database.ts';
import { openLedger } from '../../containers/ledger/ledger.ts';
import { serveLedger } from '../../containers/ledger/server.ts';
import { openLedgerClient } from '../../containers/ledger-client.ts';
import { createGateway } from '../../containers/ledger-gateway/app.ts';
import { watchHealth } from '../../containers/ledger-gateway/health.ts';
import { listen } from '../../containers/listen.ts';
import { freePort } from '../../dev/servers/port.ts';
import { createLog } from '../../shared/log.ts';
import { createTestLedger } from '../database.ts';

export const gatewayKey = 'key-of-the-gateway-for-the-edge-suite';
const ledgerKey = 'key-of-the-ledger-for-the-edge-suite';

/** Its calendar stands still, so that what it answers is the same from day to day. */
const today = new Date('2026-11-24T09:00:00Z');

/**
 * `away`: answered as by a gateway whose ledger is away. `hanging`: not answered, and not passed on. `lost` and `late`: passed on,
 * and then the connection breaks or the gateway does not know. `foreign`: a ledger that knows of no loans.
 */
type Mood = 'well' | 'away' | 'hanging' | 'lost' | 'late' | 'foreign';

export interface EdgeLedger {
  /** Of the way to the gateway. */
  url: string;
  mood: Mood;
  /** Whether the mood spares what changes nothing. */
  sparesReads: boolean;
  /** 460.00 and a fee of 40.00, paid out; of 15 October and November an instalment of 250.00 each. */
  open(loanId: string): Promise<void>;
  /** As another caller of the gateway. */
  call(
    path: string,
    message: object,
    actor?: string,
  ): Promise<{ status: number; body: Record<string, unknown> }>;
  close(): Promise<void>;
}

const isRead = (path: string) => /\/(Get|List|Watch)/.test(path);

export async function startEdgeLedger(): Promise<EdgeLedger> {
  let started: ReturnType<typeof startReal> | undefined;
  const real = () => {
    started ??= startReal();
    return started;
  };

  const problem = (response: ServerResponse, status: number, code: string) => {
    response.writeHead(status, { 'content-type': 'application/problem+json' });
    response.end(JSON.stringify({ type: `urn:recoup:problem:${code}`, title: code, status, code }));
  };
  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '/';
    const spared = isRead(path) && ledger.sparesReads;
    const mood = spared && ledger.mood !== 'foreign' ? 'well' : ledger.mood;
    if (mood === 'away') return problem(response, 503, 'ledger_unavailable');
    if (mood === 'hanging') return;
    if (mood === 'foreign' && path.startsWith('/v1/loans/'))
      return problem(response, 501, 'not_supported_by_ledger');
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const { host: _, connection: __, 'content-length': ___, ...headers } = request.headers;
    const answer = await fetch(`${(await real()).url}${path}`, {
      method: request.method ?? 'GET',
      headers: headers as Record<string, string>,
      signal: gone.signal,
      ...(request.method === 'POST' ? { body: Buffer.concat(pieces) } : {}),
    });
    if (mood === 'lost') {
      await answer.text();
      request.socket.destroy();
      return;
    }
    if (mood === 'late') {
      await answer.text();
      return problem(response, 504, 'outcome_unknown');
    }
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    for await (const piece of answer.body ?? []) response.write(piece);
    response.end();
  }

  const server = createServer((request, response) => {
    // Whoever asked has gone.
    pass(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const ledger: EdgeLedger = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    mood: 'well',
    sparesReads: true,
    async open(loanId) {
      const opened = await ledger.call('loans/OpenLoan', {
        ...{ loanAccountId: loanId, accountNumber: `N-${loanId}`, customerId: 'C-1001' },
        ...{
          applicationNumber: `AP-${loanId}`,
          currency: 'EUR',
          principal: '460.00',
          establishmentFee: '40.00',
        },
        ...{ totalRepayable: '500.00', openedOn: '2026-09-15', product: 'bridging', disbursed: true },
        ...{ actor: 'job:opening', idempotencyKey: `open:${loanId}` },
      });
      const planned = await ledger.call('loans/SetSchedule', {
        ...{ loanAccountId: loanId, scheduleId: `S-${loanId}`, currency: 'EUR' },
        instalments: ['2026-10-15', '2026-11-15'].map((dueDate, n) => ({
          paymentNumber: n + 1,
          dueDate,
          amount: '250.00',
        })),
        madeAt: '2026-09-15T10:00:00Z',
        actor: 'job:opening',
      });
      for (const { status, body } of [opened, planned]) {
        if (status !== 200) throw new Error(`the ledger was to know of a loan: ${JSON.stringify(body)}`);
      }
    },
    async call(path, message, actor = 'job:opening') {
      const answer = await fetch(`${(await real()).url}/v1/${path}`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${gatewayKey}`,
          'content-type': 'application/json',
          'x-actor': actor,
        },
        body: JSON.stringify(message),
      });
      return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await (await started)?.stop();
    },
  };
  return ledger;
}

async function startReal() {
  const database = await createTestLedger();
  const log = createLog('error', { process: 'ledger' });
  const db = openPool({
    url: database.urlFor('recoup_ledger'),
    ...{ min: 0, max: 4, applicationName: 'test', timeoutMs: 10_000 },
  });
  const ledger = openLedger({
    db,
    timeZone: 'Europe/Berlin',
    orders: {},
    batches: { largestBatch: 50, mostWaiting: 500, lanes: 2 },
    mostWatchers: 50,
    now: () => today,
  });
  const server = await serveLedger(
    {
      ...{ host: '127.0.0.1', port: 0, keys: [ledgerKey], tls: undefined },
      ...{ messageBytes: 64 * 1024, mostCalls: 400 },
    },
    ledger.methods,
    log,
  );
  const client = openLedgerClient({
    address: `127.0.0.1:${server.port}`,
    services: ['accounting', 'loans'],
    ...{ key: ledgerKey, tls: undefined },
    ...{ timeoutMs: 10_000, attempts: 3, maxMessageBytes: 64 * 1024 },
    breaker: { faults: 5, probeEveryMs: 100 },
  });
  const stopping = new AbortController();
  const { app } = createGateway({
    ledger: client,
    health: watchHealth(client),
    keys: [gatewayKey],
    limits: {
      ...{ bodyBytes: 64 * 1024, calls: 200, streams: 100 },
      ...{ heartbeatMs: 1_000, slowReaderMs: 30_000 },
    },
    stopping: stopping.signal,
    log,
  });
  const port = await freePort();
  const listener = await listen(app as unknown as Parameters<typeof listen>[0], '127.0.0.1', port);
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      stopping.abort();
      await listener.drain();
      client.close();
      await server.drain(2_000);
      await db.close();
      await database.drop();
    },
  };
}
