// The ledger as containers ask it, by gRPC. Every call has a deadline; what may be repeated (reads, and writes that
// have a key) is tried again within it; and while the ledger is away, callers are told so at once. What the ledger
// cannot do is refused before anything is sent. Failures are answered, and none is thrown.
//
//   an attempt                                    what follows
//   the breaker is open, or no connection         nothing was sent: unavailable, again after a pause
//   an answer, or a refusal                       is the answer
//   overload                                      again after a pause
//   broke off, or a fault of the ledger's         again after a pause where the call may be repeated; where a write may
//                                                 have happened, no later attempt but one that is answered changes that
//   the deadline                                  no further attempt
//
// The pause after the nth attempt is random, from 0 to 50 * 2^(n-1) ms.

import { setTimeout as sleep } from 'node:timers/promises';
import {
  ChannelCredentials,
  type ChannelInterface,
  Client,
  type ClientReadableStream,
  connectivityState,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import { type BreakerState, CircuitBreaker } from '../shared/circuit-breaker.ts';
import { ok, type Result, refused } from '../shared/result.ts';
import {
  failureOf,
  givenUp,
  grpcStatus,
  type LedgerFailure,
  LedgerFault,
  tooLarge,
} from './ledger-failure.ts';
import { isAmong, type LedgerMethod, mayRepeat, methodName } from './ledger-method.ts';
import type { LedgerConnection } from './ledger-settings.ts';

const pauseMs = 50;
const connectTimeoutMs = 3_000;
/** A stream of which nothing has been heard for so long has begun and has nothing to say. */
const quietMs = 1_000;
/** A peer that is silent for so long is asked, and given up when it stays silent. */
const keepaliveMs = 10_000;
const keepaliveTimeoutMs = 5_000;
/** How long a method that the ledger does not have is not asked for again. */
const unsupportedMs = 60_000;
const healthTimeoutMs = 1_000;

export interface Asking {
  /** Who asks, as the audit trail writes it. */
  actor?: string | undefined;
  requestId?: string | undefined;
  /** Gives the call up; a write may happen all the same. */
  signal?: AbortSignal | undefined;
}

export type LedgerHealth = 'serving' | 'not_serving' | 'unreachable';

export interface LedgerClient {
  call<Request extends object, Response>(
    method: LedgerMethod<Request, Response>,
    request: Request,
    asking?: Asking,
  ): Promise<Result<Response, LedgerFailure>>;
  /**
   * Ends when the ledger ends it; throws LedgerFault when it breaks off. It reads no faster than it is read, and is
   * given up by the signal, or by leaving it.
   */
  watch<Request extends object, Response>(
    method: LedgerMethod<Request, Response>,
    request: Request,
    asking?: Asking,
  ): Promise<Result<AsyncIterable<Response>, LedgerFailure>>;
  /** Asks the ledger itself; and closes the breaker when a ledger is there again that had been out of reach. */
  health(): Promise<LedgerHealth>;
  readonly breaker: BreakerState;
  /** Attempts that were not the first, since the start. */
  readonly repeated: number;
  close(): void;
}

export function openLedgerClient(connection: LedgerConnection): LedgerClient {
  const { timeoutMs, attempts, maxMessageBytes, key } = connection;
  const client = new Client(connection.address, credentialsOf(connection), {
    'grpc.keepalive_time_ms': keepaliveMs,
    'grpc.keepalive_timeout_ms': keepaliveTimeoutMs,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 1_000,
    // Requests are measured here, before they are sent.
    'grpc.max_send_message_length': -1,
    'grpc.max_receive_message_length': maxMessageBytes,
    // Of several addresses each gets its share.
    'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
    // Repeats are decided here.
    'grpc.enable_retries': 0,
  });
  const breaker = new CircuitBreaker(connection.breaker.faults, connection.breaker.probeEveryMs);
  const unsupportedUntil = new Map<string, number>();
  let lastFault: 'unreachable' | 'other' = 'other';
  let repeated = 0;

  const judge = (failure: LedgerFailure): void => {
    const because = 'because' in failure ? failure.because : undefined;
    // Given up by whoever asked, it shows nothing.
    if (because === 'cancelled') return;
    if (isTrouble(failure)) {
      lastFault = because === 'unreachable' ? because : 'other';
      breaker.failed(Date.now());
    } else breaker.answered();
  };
  const learn = (failure: LedgerFailure): LedgerFailure => {
    if (failure.kind === 'unsupported') unsupportedUntil.set(failure.method, Date.now() + unsupportedMs);
    return failure;
  };

  const metadataOf = ({ actor, requestId }: Asking) => {
    const metadata = new Metadata();
    if (key) metadata.set('authorization', `Bearer ${key}`);
    if (actor) metadata.set('x-actor', actor);
    if (requestId) metadata.set('x-request-id', requestId);
    return metadata;
  };

  /** What is known of a call before anything is sent; else its message. */
  const prepare = <Request extends object>(
    { path, requestSerialize }: LedgerMethod<Request, unknown>,
    request: Request,
  ): Result<Buffer, LedgerFailure> => {
    const name = methodName(path);
    if (!isAmong(connection.services, path) || (unsupportedUntil.get(name) ?? 0) > Date.now())
      return refused({ kind: 'unsupported', method: name });
    if (!mayRepeat(path, request))
      return refused({
        kind: 'refused',
        code: 'key_missing',
        message: `${name} needs a key`,
        because: 'invalid',
      });
    const message = requestSerialize(request);
    return message.length > maxMessageBytes ? refused(tooLarge('The request')) : ok(message);
  };

  /** Undefined when the ledger may be asked. */
  const notNow = async (deadline: number, signal?: AbortSignal): Promise<LedgerFailure | undefined> => {
    if (signal?.aborted) return { kind: 'unavailable', because: 'cancelled' };
    if (!breaker.mayAsk(Date.now())) return { kind: 'unavailable', because: 'breaker_open' };
    if (await isConnected(client.getChannel(), deadline)) return undefined;
    const failure: LedgerFailure = { kind: 'unavailable', because: 'unreachable' };
    judge(failure);
    return failure;
  };

  const attempt = <Response>(
    { path, responseDeserialize }: LedgerMethod<never, Response>,
    message: Buffer,
    asking: Asking,
    deadline: number,
  ): Promise<Result<Response, LedgerFailure>> =>
    new Promise((resolve) => {
      const sent = client.makeUnaryRequest(
        path,
        asItIs,
        responseDeserialize,
        message,
        metadataOf(asking),
        { deadline },
        (error, response) => {
          asking.signal?.removeEventListener('abort', cancel);
          const failure = error && endOf(error, path, asking.signal);
          if (failure) judge(failure);
          else breaker.answered();
          resolve(failure ? refused(failure) : ok(response as Response));
        },
      );
      const cancel = () => sent.cancel();
      asking.signal?.addEventListener('abort', cancel, { once: true });
    });

  return {
    async call(method, request, asking = {}) {
      const prepared = prepare(method, request);
      if (!prepared.ok) return prepared;
      const deadline = Date.now() + timeoutMs;
      let unknown: LedgerFailure | undefined;
      for (let n = 1; ; n++) {
        const failure = await notNow(deadline, asking.signal);
        const answer = failure ? refused(failure) : await attempt(method, prepared.value, asking, deadline);
        if (answer.ok || answer.refusal.kind === 'refused') return answer;
        if (answer.refusal.kind === 'outcome_unknown') unknown = answer.refusal;
        const pause = Math.random() * pauseMs * 2 ** (n - 1);
        const isOver = n >= attempts || asking.signal?.aborted || Date.now() + pause >= deadline;
        if (isOver || !passes(answer.refusal)) return refused(unknown ?? learn(answer.refusal));
        repeated += 1;
        await sleep(pause);
      }
    },

    async watch(method, request, asking = {}) {
      const { path, responseDeserialize } = method;
      const prepared = prepare(method, request);
      if (!prepared.ok) return prepared;
      const failure = await notNow(Date.now() + timeoutMs, asking.signal);
      if (failure) return refused(failure);
      const stream = client.makeServerStreamRequest(
        path,
        asItIs,
        responseDeserialize,
        prepared.value,
        metadataOf(asking),
      );
      const cancel = () => stream.cancel();
      asking.signal?.addEventListener('abort', cancel, { once: true });
      // Whoever reads it is told of an error; before and after that nobody has to be.
      stream.on('error', () => asking.signal?.removeEventListener('abort', cancel));
      const error = await begin(stream);
      if (!error) {
        breaker.answered();
        return ok(
          reading(stream, (error) => {
            const failure = endOf(error, path, asking.signal);
            judge(failure);
            return new LedgerFault(failure);
          }),
        );
      }
      const early = endOf(error, path, asking.signal);
      judge(early);
      return refused(learn(early));
    },

    async health() {
      const found = await askHealth(client, metadataOf({}));
      if (breaker.state !== 'closed' && lastFault === 'unreachable' && breaker.mayAsk(Date.now())) {
        if (found === 'unreachable') breaker.failed(Date.now());
        else breaker.answered();
      }
      return found;
    },
    get breaker() {
      return breaker.state;
    },
    get repeated() {
      return repeated;
    },
    close: () => client.close(),
  };
}

const asItIs = (bytes: Buffer) => bytes;

function credentialsOf({ tls }: LedgerConnection): ChannelCredentials {
  if (!tls) return ChannelCredentials.createInsecure();
  const bytes = (pem: string | undefined) => (pem === undefined ? null : Buffer.from(pem));
  return ChannelCredentials.createSsl(bytes(tls.ca), bytes(tls.certificateKey), bytes(tls.certificate));
}

/** False at once while connecting has just failed: another attempt is made in the background. */
async function isConnected(channel: ChannelInterface, deadline: number): Promise<boolean> {
  const until = Math.min(deadline, Date.now() + connectTimeoutMs);
  for (;;) {
    const state = channel.getConnectivityState(true);
    if (state === connectivityState.READY) return true;
    if (state === connectivityState.TRANSIENT_FAILURE || state === connectivityState.SHUTDOWN) return false;
    const changed = await new Promise<boolean>((resolve) =>
      channel.watchConnectivityState(state, until, (error) => resolve(!error)),
    );
    if (!changed) return false;
  }
}

function endOf(error: ServiceError, path: string, signal: AbortSignal | undefined): LedgerFailure {
  if (signal?.aborted) return givenUp(path);
  const [rich] = error.metadata?.get('grpc-status-details-bin') ?? [];
  const { code, details } = error;
  return failureOf({ code, details, rich: rich instanceof Uint8Array ? rich : undefined }, path);
}

/** Whether the breaker counts it. What the ledger says on purpose, overload among it, shows that it is there. */
function isTrouble(failure: LedgerFailure): boolean {
  if (failure.kind === 'outcome_unknown') return true;
  return (
    failure.kind === 'unavailable' && ['unreachable', 'not_now', 'slow', 'faulty'].includes(failure.because)
  );
}

/** Whether it may be another way in a moment. */
function passes(failure: LedgerFailure): boolean {
  if (failure.kind === 'unavailable') return ['unreachable', 'not_now', 'faulty'].includes(failure.because);
  return failure.kind === 'overloaded' || failure.kind === 'outcome_unknown';
}

/** Resolves when the ledger has begun to answer, or has said no. */
function begin(stream: ClientReadableStream<unknown>): Promise<ServiceError | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(undefined), quietMs);
    const settle = (error?: ServiceError) => {
      clearTimeout(timer);
      resolve(error);
    };
    stream.once('metadata', () => settle());
    stream.once('error', (error) => settle(error as ServiceError));
  });
}

async function* reading<Response>(
  stream: ClientReadableStream<Response>,
  faultOf: (error: ServiceError) => LedgerFault,
): AsyncGenerator<Response> {
  try {
    for await (const message of stream) yield message;
  } catch (error) {
    throw faultOf(error as ServiceError);
  } finally {
    stream.cancel();
  }
}

/** https://github.com/grpc/grpc/blob/master/doc/health-checking.md; a ledger that does not tell is taken at its answer. */
function askHealth(client: Client, metadata: Metadata): Promise<LedgerHealth> {
  const deadline = Date.now() + healthTimeoutMs;
  return new Promise((resolve) =>
    client.makeUnaryRequest(
      '/grpc.health.v1.Health/Check',
      asItIs,
      asItIs,
      Buffer.alloc(0),
      metadata,
      { deadline },
      (error, answer) => {
        // Field 1, a number: 1 is SERVING.
        if (!error) return resolve(answer?.equals(Buffer.from([8, 1])) ? 'serving' : 'not_serving');
        if (error.code === grpcStatus.unimplemented) return resolve('serving');
        const isAway = error.code === grpcStatus.unavailable || error.code === grpcStatus.deadlineExceeded;
        resolve(isAway ? 'unreachable' : 'not_serving');
      },
    ),
  );
}
