// A caller's own name for a request (Idempotency-Key): the same request under it does its work once and is answered as
// the first time, another request under it is refused. Pure.

import { sha256 } from '../id.ts';

export interface IdempotencyKey {
  /** Keys of different callers are different keys. */
  actor: string;
  key: string;
  /** The hash of what is asked for, see `requestHash`. */
  request: string;
}

/**
 * What a verb under a key came to. `repeated`: `done` is that of the first time, `answer` what was answered then, null
 * while nothing has been kept (the first request is still at it, or died). `reused`: the key stands for another request.
 */
export type Once<T> = { state: 'new' | 'repeated'; done: T; answer: string | null } | { state: 'reused' };

/** Keys are remembered for this long. */
export const idempotencyKeyDays = 30;

/** 1 to 255 visible ASCII characters. */
export const isIdempotencyKey = (text: string): boolean => /^[!-~]{1,255}$/.test(text);

/** Of the request as it was understood, so that white space and the order of keys make no other request of it. */
export const requestHash = (understood: unknown): Promise<string> =>
  sha256(JSON.stringify(understood, (_key, value) => (typeof value === 'bigint' ? String(value) : value)));
