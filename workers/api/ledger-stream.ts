// A loan's transactions as they are committed, as server-sent events. What the gateway tells is passed on in this API's words,
// for as long as the caller may hear it; whoever comes back with the last id (Last-Event-ID) misses nothing.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import { errorFields } from '../../shared/log.ts';
import { presentGrants, subjectOf } from '../../shared/staff/present-grants.ts';
import type { RequestContext, Scope } from '../app.ts';
import type { ApiSettings } from './env.ts';
import { ledgerProblems, type Message, refuseLedger, watchLedger } from './ledger-gateway.ts';
import { anyName, loanNamed } from './ledger-loan.ts';
import { shownTransaction } from './ledger-messages.ts';
import { route } from './route.ts';
import { unnamedReads } from './sight.ts';
import { streamSeconds } from './stream.ts';

type C = RequestContext<ApiSettings>;

/** A session that was ended is told nothing after five seconds. */
const askEveryMs = 4_000;
const heartbeat = ':\n\n';
/** One message of the gateway; more is no message. */
const messageLimit = 256 * 1024;

/** Server-sent events out of bytes: those with data, whole. */
class Events {
  #text = '';
  readonly #decoder = new TextDecoder();

  add(bytes: Uint8Array): Array<{ id: string | undefined; data: string }> {
    this.#text += this.#decoder.decode(bytes, { stream: true }).replaceAll('\r', '');
    const blocks = this.#text.split('\n\n');
    this.#text = blocks.pop() as string;
    if (this.#text.length > messageLimit) throw new Error('a message of the gateway is too long');
    return blocks.flatMap((block) => {
      const lines = block.split('\n');
      const valuesOf = (field: string) =>
        lines.flatMap((line) => (line.startsWith(`${field}:`) ? [line.slice(field.length + 1).trim()] : []));
      const data = valuesOf('data').join('\n');
      return data === '' ? [] : [{ id: valuesOf('id')[0], data }];
    });
  }
}

function read(data: string): Message {
  try {
    return JSON.parse(data) as Message;
  } catch {
    throw new Error('a message of the gateway is no JSON');
  }
}

async function mayHear(c: C): Promise<boolean> {
  const caller = c.get('caller');
  const grants = await presentGrants(unnamedReads(c), [caller]);
  return grants.get(subjectOf(caller))?.has('ledger:read') === true;
}

async function* messages(
  c: C,
  told: ReadableStream<Uint8Array>,
  endsAt: number,
): AsyncGenerator<string, void, undefined> {
  const reader = told.getReader();
  const events = new Events();
  let askedAt = Date.now();
  yield 'retry: 2000\n\n';
  let next = reader.read();
  while (Date.now() < endsAt) {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const waited = new Promise<'waited'>((resolve) => {
      timer = setTimeout(() => resolve('waited'), Math.min(askEveryMs, Math.max(1, endsAt - Date.now())));
    });
    const came = await Promise.race([next, waited]).finally(() => clearTimeout(timer));
    if (Date.now() - askedAt >= askEveryMs) {
      askedAt = Date.now();
      if (!(await mayHear(c))) {
        yield 'event: end\ndata: {}\n\n';
        return;
      }
    }
    if (came === 'waited') {
      yield heartbeat;
      continue;
    }
    if (came.done) return;
    for (const { id, data } of events.add(came.value)) {
      const message = read(data);
      // What ends the gateway's stream is no transaction; the client comes back.
      if (message.transactionId === undefined) return;
      const shown = shownTransaction(message);
      yield `id: ${id ?? shown.transactionId}\nevent: transaction\ndata: ${JSON.stringify(shown)}\n\n`;
    }
    next = reader.read();
  }
}

export const ledgerStreamRoutes = new Hono<Scope<ApiSettings>>().get(
  ...route(
    '/:id/stream',
    {
      permission: 'ledger:read',
      summary: 'Transactions of a loan as they are committed, as server-sent events',
      description: `${anyName} Messages are \`transaction\`, each with its id, and \`end\` (the session is over). With \`Last-Event-ID\` what came after it is told first.`,
      tag: 'Ledger',
      query: z.object({ seconds: streamSeconds }),
      headers: z.object({
        'last-event-id': z.optional(
          z.string().check(z.meta({ description: 'The id of the last message that came' })),
        ),
      }),
      answers: { 200: null },
      problems: ledgerProblems,
      mediaType: 'text/event-stream',
    },
    async (c) => {
      const loan = await loanNamed(c, c.req.param('id'));
      if (!loan.ok) return loan.refusal;
      const { accountId } = loan.value;
      const lastId = c.req.header('last-event-id');
      const ends = new AbortController();
      const watched = await watchLedger(c, accountId, lastId, ends.signal);
      if (!watched.ok) return refuseLedger(c, watched.refusal, accountId);
      const told = messages(c, watched.value, Date.now() + c.req.valid('query').seconds * 1_000);
      const encoder = new TextEncoder();
      const body = new ReadableStream<Uint8Array>(
        {
          async pull(controller) {
            try {
              const { value, done } = await told.next();
              if (!done) return controller.enqueue(encoder.encode(value));
            } catch (error) {
              c.get('log').warn('ledger_stream', errorFields(error));
            }
            ends.abort();
            controller.close();
          },
          cancel: () => ends.abort(),
        },
        { highWaterMark: 0 },
      );
      return c.body(body, 200, {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store, no-transform',
      });
    },
  ),
);
