// Why the ledger has not answered a call as asked, and what is known of what happened:
//
//   kind             did it happen?   again?
//   refused          no               as asked now it is refused again, unless the loan has changed
//   unsupported      no               no: this ledger cannot do it
//   overloaded       no               later
//   unavailable      no               later
//   outcome_unknown  not known        at once, with the same key: it happens once
//
// A read changes nothing, so it is never unknown what happened. A lost connection cannot be told from what a ledger says
// of itself by UNAVAILABLE; both may come after the write was committed.

import { ErrorInfo } from '../proto/generated/google/rpc/error_details.ts';
import { Status as RichStatus } from '../proto/generated/google/rpc/status.ts';
import { isRead, methodName } from './ledger-method.ts';

/** https://github.com/grpc/grpc/blob/master/doc/statuscodes.md */
export const grpcStatus = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const;

export type LedgerFailure =
  | {
      kind: 'refused';
      /** The ledger's own where it gives one (RefusalCode), else named after the status. */
      code: string;
      message: string;
      because: 'not_found' | 'conflict' | 'invalid';
    }
  | { kind: 'unsupported'; method: string }
  | { kind: 'overloaded' }
  | {
      kind: 'unavailable';
      because: 'breaker_open' | 'unreachable' | 'not_now' | 'slow' | 'faulty' | 'credentials' | 'cancelled';
    }
  | { kind: 'outcome_unknown'; because: 'slow' | 'lost' | 'cancelled' };

/** A stream that has begun and broken off. */
export class LedgerFault extends Error {
  override readonly name = 'LedgerFault';
  readonly failure: LedgerFailure;
  constructor(failure: LedgerFailure) {
    super(`the ledger's stream broke off: ${failure.kind}`);
    this.failure = failure;
  }
}

/** What a call ended with, as grpc-js tells it. */
export interface EndedWith {
  code: number;
  details: string;
  /** `grpc-status-details-bin` of the trailers. */
  rich?: Uint8Array | undefined;
}

const { notFound, alreadyExists, failedPrecondition, invalidArgument, outOfRange } = grpcStatus;
const refusals = new Map<number, { code: string; because: 'not_found' | 'conflict' | 'invalid' }>([
  [notFound, { code: 'not_found', because: 'not_found' }],
  [alreadyExists, { code: 'already_exists', because: 'conflict' }],
  [failedPrecondition, { code: 'failed_precondition', because: 'conflict' }],
  [invalidArgument, { code: 'invalid_argument', because: 'invalid' }],
  [outOfRange, { code: 'out_of_range', because: 'invalid' }],
]);

/** Of a request or an answer that is too large to be passed on. */
export const tooLarge = (what: string): LedgerFailure => ({
  kind: 'refused',
  code: 'message_too_large',
  message: `${what} is larger than a message may be`,
  because: 'invalid',
});

/** Of a call that was sent. */
export function failureOf(ended: EndedWith, path: string): LedgerFailure {
  const changesNothing = isRead(path);
  const refusal = refusals.get(ended.code);
  if (refusal) {
    const { because, code } = refusal;
    return { kind: 'refused', code: reasonOf(ended.rich) ?? code, message: ended.details, because };
  }
  // Ours says so where it knows that nothing happened.
  if (reasonOf(ended.rich, 'ledger') === 'not_now') return { kind: 'unavailable', because: 'not_now' };
  switch (ended.code) {
    case grpcStatus.unimplemented:
      return { kind: 'unsupported', method: methodName(path) };
    case grpcStatus.permissionDenied:
    case grpcStatus.unauthenticated:
      return { kind: 'unavailable', because: 'credentials' };
    case grpcStatus.resourceExhausted:
      // Which of the two was too large, request or answer, cannot be told: the words are the same.
      if (/larger than/.test(ended.details))
        return changesNothing
          ? tooLarge('The request or its answer')
          : { kind: 'outcome_unknown', because: 'lost' };
      return { kind: 'overloaded' };
    case grpcStatus.deadlineExceeded:
      return changesNothing
        ? { kind: 'unavailable', because: 'slow' }
        : { kind: 'outcome_unknown', because: 'slow' };
    // So ends a call whose peer drops it; calls that are given up here do not get here.
    case grpcStatus.cancelled:
    case grpcStatus.unavailable:
      return changesNothing
        ? { kind: 'unavailable', because: 'unreachable' }
        : { kind: 'outcome_unknown', because: 'lost' };
    default:
      return changesNothing
        ? { kind: 'unavailable', because: 'faulty' }
        : { kind: 'outcome_unknown', because: 'lost' };
  }
}

/** Of a call that its caller has given up. */
export const givenUp = (path: string): LedgerFailure =>
  isRead(path)
    ? { kind: 'unavailable', because: 'cancelled' }
    : { kind: 'outcome_unknown', because: 'cancelled' };

const endOf = (typeUrl: string) => typeUrl.slice(typeUrl.lastIndexOf('/') + 1);

/** Of google.rpc.ErrorInfo, where there is one that can be read, of this domain or of any. */
function reasonOf(rich: Uint8Array | undefined, domain?: string): string | undefined {
  if (!rich) return undefined;
  try {
    const { details } = RichStatus.decode(rich);
    const found = details.find(({ typeUrl }) => endOf(typeUrl) === 'google.rpc.ErrorInfo');
    const info = found && ErrorInfo.decode(found.value);
    if (!info || (domain !== undefined && info.domain !== domain)) return undefined;
    return /^[A-Za-z0-9_.-]{1,63}$/.test(info.reason) ? info.reason : undefined;
  } catch {
    return undefined;
  }
}
