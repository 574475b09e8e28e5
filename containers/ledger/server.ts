// The ledger over gRPC: both services of the contract, health and reflection. Who shows no key is refused before a
// message is read. Whatever comes in, the answer is a status; reasons for programs are in google.rpc.ErrorInfo:
//
//   reason                                code                  what happened
//   a RefusalCode of the ledger           see refusalStatus     nothing
//   unauthenticated, invalid_actor        UNAUTHENTICATED ...   nothing
//   overloaded                            RESOURCE_EXHAUSTED    nothing; later it may go
//   not_now                               UNAVAILABLE           nothing; later it may go
//   outcome_unknown                       UNAVAILABLE           a write may have happened: its key finds out
//   internal                              INTERNAL              nothing

import { createHash, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptor,
  type StatusObject,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';
import {
  type AccountingLedgerServiceServer as AccountingServer,
  AccountingLedgerServiceService as accountingService,
} from '../../proto/generated/accounting_ledger.ts';
import { ErrorInfo } from '../../proto/generated/google/rpc/error_details.ts';
import { Status } from '../../proto/generated/google/rpc/status.ts';
import {
  type LoanLedgerServiceServer as LoansServer,
  LoanLedgerServiceService as loansService,
} from '../../proto/generated/loan_ledger.ts';
import { DatabaseFault } from '../../shared/database.ts';
import type { LedgerRefusal, RefusalCode } from '../../shared/ledger/command.ts';
import { errorFields, type Log } from '../../shared/log.ts';
import { bearerToken } from '../../shared/staff/api-key.ts';
import { within } from '../time-limit.ts';
import { Overloaded, Withdrawn } from './batching.ts';
import { OutcomeUnknown } from './commit.ts';
import type { Caller, Method, StreamMethod } from './methods/method.ts';

type Named<S> = { [M in keyof S as string extends M ? never : number extends M ? never : M]: S[M] };
type Unary<S> = {
  [M in keyof Named<S> as S[M] extends handleUnaryCall<infer _, infer __>
    ? M
    : never]: S[M] extends handleUnaryCall<infer Request, infer Response> ? Method<Request, Response> : never;
};
type Streams<S> = {
  [M in keyof Named<S> as S[M] extends handleServerStreamingCall<infer _, infer __>
    ? M
    : never]: S[M] extends handleServerStreamingCall<infer Request, infer Response>
    ? StreamMethod<Request, Response>
    : never;
};

export interface LedgerMethods {
  accounting: Unary<AccountingServer>;
  loans: Unary<LoansServer>;
  watching: Streams<AccountingServer>;
}

export interface ListenOptions {
  host: string;
  port: number;
  /** One of them must be shown as `authorization: Bearer ...`, by all but who asks for health. */
  keys: readonly string[];
  tls: { certificate: Buffer; key: Buffer; clientCa: Buffer | undefined } | undefined;
  messageBytes: number;
  mostCalls: number;
}

export interface LedgerServer {
  port: number;
  setServing(serving: boolean): void;
  state(): { calls: number; calls_total: number; refused_calls_total: number; faults_total: number };
  /** Takes no new calls, ends those that watch, and answers what was asked, for at most so long. */
  drain(limitMs: number): Promise<boolean>;
}

const contractFile = join(import.meta.dirname, '../../proto/generated/contract.binpb');
const actorPattern = /^[a-z]{1,20}:[\x21-\x7e]{1,200}$/;
const anonymousActor = 'key:ledger';
/** A reader that takes nothing for so long has gone. */
const slowReaderMs = 60_000;

/** Listens before it answers; throws when the port is taken. */
export async function serveLedger(
  options: ListenOptions,
  methods: LedgerMethods,
  log: Log,
): Promise<LedgerServer> {
  const totals = { calls_total: 0, refused_calls_total: 0, faults_total: 0 };
  const draining = new AbortController();
  let calls = 0;

  const door = guard(options.keys, (free) => {
    if (draining.signal.aborted) return told(status.UNAVAILABLE, 'not_now', 'the ledger is going away');
    if (calls >= options.mostCalls)
      return told(status.RESOURCE_EXHAUSTED, 'overloaded', 'too many calls at once');
    calls += 1;
    totals.calls_total += 1;
    free(() => {
      calls -= 1;
    });
    return undefined;
  });
  const server = new Server({
    'grpc.max_receive_message_length': options.messageBytes,
    'grpc.max_concurrent_streams': options.mostCalls,
    'grpc.keepalive_time_ms': 30_000,
    'grpc.keepalive_timeout_ms': 10_000,
    interceptors: [door],
  });

  const failing = (error: unknown, method: string): StatusObject => {
    const failure = failureOf(error);
    if (!(error instanceof Overloaded || error instanceof Withdrawn)) {
      totals.faults_total += 1;
      log.error('call_failed', { method, ...errorFields(error) });
    }
    return failure;
  };

  const unary =
    (name: string, method: Method<unknown, unknown>): handleUnaryCall<unknown, unknown> =>
    (call, answer) => {
      const caller = callerOf(call);
      if (!caller) return answer(invalidActor());
      method(call.request, caller).then(
        (result) => {
          if (!result.ok) totals.refused_calls_total += 1;
          answer(result.ok ? null : refusalOf(result.refusal), result.ok ? result.value : null);
        },
        (error) => answer(failing(error, name)),
      );
    };

  const stream =
    (name: string, method: StreamMethod<unknown, unknown>): handleServerStreamingCall<unknown, unknown> =>
    (call) => {
      const caller = callerOf(call, draining.signal);
      if (!caller) return call.emit('error', invalidActor());
      const send = async (message: unknown) => {
        if (!caller.signal.aborted && !call.write(message))
          await within(slowReaderMs, once(call, 'drain', { signal: caller.signal })).catch(() => {
            throw new Withdrawn('its reader has gone');
          });
      };
      method(call.request, caller, send).then(
        (result) => {
          if (!result.ok) call.emit('error', refusalOf(result.refusal));
          else if (draining.signal.aborted)
            call.emit('error', told(status.UNAVAILABLE, 'not_now', 'the ledger is going away'));
          else call.end();
        },
        (error) => call.emit('error', failing(error, name)),
      );
    };

  const implementation = (unaries: object, streams: object = {}) =>
    Object.fromEntries([
      ...Object.entries(unaries).map(([name, method]) => [name, unary(name, method)]),
      ...Object.entries(streams).map(([name, method]) => [name, stream(name, method)]),
    ]) as UntypedServiceImplementation;
  server.addService(accountingService, implementation(methods.accounting, methods.watching));
  server.addService(loansService, implementation(methods.loans));

  const services = ['', 'billie.ledger.v1.AccountingLedgerService', 'recoup.ledger.v1.LoanLedgerService'];
  const health = new HealthImplementation(Object.fromEntries(services.map((name) => [name, 'SERVING'])));
  const setServing = (serving: boolean) => {
    for (const name of services) health.setStatus(name, serving ? 'SERVING' : 'NOT_SERVING');
  };
  health.addToServer(server);
  new ReflectionService({ contract: readContract() }).addToServer(server);

  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync(`${options.host}:${options.port}`, credentials(options.tls), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  return {
    port,
    setServing,
    state: () => ({ calls, ...totals }),
    async drain(limitMs) {
      setServing(false);
      draining.abort();
      const ended = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
      const drained = await within(limitMs, ended).then(
        () => true,
        () => false,
      );
      if (!drained) server.forceShutdown();
      return drained;
    },
  };
}

type Definition = ConstructorParameters<typeof ReflectionService>[0][string];

/** The contract as its compiler has it. What proto-loader makes of the files, strict readers do not take. */
function readContract(): Definition {
  const { file } = fromBinary(FileDescriptorSetSchema, readFileSync(contractFile));
  const fileDescriptorProtos = file.map((one) => Buffer.from(toBinary(FileDescriptorProtoSchema, one)));
  // Reflection looks at nothing else.
  return { fileDescriptorProtos } as Pick<Definition, 'fileDescriptorProtos'> as Definition;
}

const credentials = (tls: ListenOptions['tls']) =>
  tls
    ? ServerCredentials.createSsl(
        tls.clientCa ?? null,
        [{ cert_chain: tls.certificate, private_key: tls.key }],
        tls.clientCa !== undefined,
      )
    : ServerCredentials.createInsecure();

/** Lets calls in that show a key and that `admit` has no objection to; it is given where to say what the end frees. */
function guard(
  keys: readonly string[],
  admit: (onEnd: (free: () => void) => void) => StatusObject | undefined,
): ServerInterceptor {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  const digests = keys.map(digest);
  const isKnown = (metadata: Metadata) => {
    const given = digest(bearerToken(metadata.get('authorization')[0]?.toString()) ?? '');
    // Of all keys, so that the time tells none from another.
    return digests.filter((known) => timingSafeEqual(known, given)).length > 0;
  };
  return ({ path }, call) => {
    if (path.startsWith('/grpc.health.v1.Health/')) return new ServerInterceptingCall(call);
    let free = () => {};
    const end = () => {
      free();
      free = () => {};
    };
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, go) => {
            const objection = isKnown(metadata)
              ? admit((ended) => {
                  free = ended;
                })
              : told(status.UNAUTHENTICATED, 'unauthenticated', 'show a key as `authorization: Bearer ...`');
            if (objection) call.sendStatus(objection);
            else go(metadata);
          },
          onCancel: end,
        }),
      sendStatus: (status, next) => {
        end();
        next(status);
      },
    });
  };
}

/** Undefined when the actor is none. */
function callerOf(
  call: { metadata: Metadata; on(event: 'cancelled', listener: () => void): unknown },
  ...others: AbortSignal[]
): Caller | undefined {
  const [given] = call.metadata.get('x-actor');
  const actor = given?.toString() ?? anonymousActor;
  if (!actorPattern.test(actor)) return undefined;
  const gone = new AbortController();
  call.on('cancelled', () => gone.abort());
  return { actor, signal: others.length > 0 ? AbortSignal.any([gone.signal, ...others]) : gone.signal };
}

const invalidActor = () =>
  told(status.INVALID_ARGUMENT, 'invalid_actor', 'x-actor names nobody, as user:... does');

const refusalStatus: Record<RefusalCode, status> = {
  unknown_loan: status.NOT_FOUND,
  unknown_transfer: status.NOT_FOUND,
  unknown_instalment: status.INVALID_ARGUMENT,
  key_missing: status.INVALID_ARGUMENT,
  invalid_text: status.INVALID_ARGUMENT,
  invalid_amount: status.INVALID_ARGUMENT,
  invalid_date: status.INVALID_ARGUMENT,
  currency_mismatch: status.INVALID_ARGUMENT,
  key_reused: status.ALREADY_EXISTS,
  loan_is_open_otherwise: status.ALREADY_EXISTS,
  already_disbursed: status.ALREADY_EXISTS,
  not_disbursed: status.FAILED_PRECONDITION,
  amount_differs_from_terms: status.FAILED_PRECONDITION,
  exceeds_fees: status.FAILED_PRECONDITION,
  exceeds_owed: status.FAILED_PRECONDITION,
  nothing_owed: status.FAILED_PRECONDITION,
  not_reversible: status.FAILED_PRECONDITION,
  exceeds_reversible: status.FAILED_PRECONDITION,
};

const refusalOf = ({ code, message }: LedgerRefusal) => told(refusalStatus[code], code, message);

function failureOf(error: unknown): StatusObject {
  if (error instanceof Overloaded) return told(status.RESOURCE_EXHAUSTED, 'overloaded', error.message);
  if (error instanceof Withdrawn) return told(status.CANCELLED, 'not_now', error.message);
  if (error instanceof OutcomeUnknown)
    return told(
      status.UNAVAILABLE,
      'outcome_unknown',
      'not known whether it happened; the same key finds out',
    );
  return error instanceof DatabaseFault && error.retryable
    ? told(status.UNAVAILABLE, 'not_now', 'nothing happened; the database is away or busy')
    : told(status.INTERNAL, 'internal', 'internal error');
}

/** A status and its google.rpc.Status, as which programs read the reason. */
function told(code: status, reason: string, message: string): StatusObject {
  const value = ErrorInfo.encode({ reason, domain: 'ledger', metadata: {} }).finish();
  const details = [{ typeUrl: 'type.googleapis.com/google.rpc.ErrorInfo', value: Buffer.from(value) }];
  const metadata = new Metadata();
  metadata.set('grpc-status-details-bin', Buffer.from(Status.encode({ code, message, details }).finish()));
  return { code, details: message, metadata };
}
