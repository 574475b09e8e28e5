// scrypt in the Worker itself. It takes its time in one piece, so an isolate never has more than one of them in memory;
// who would have to wait for too many is turned away at once. Where the runtime brings scrypt of its own, that is used.

import { scrypt as compute } from '@noble/hashes/scrypt.js';
import { BusyFault, type Scrypt } from '../../shared/staff/password-hash.ts';

const mostWaiting = 6;
/** A request that was cancelled never comes back to say that it waits no more. */
const forgottenAfterMs = 10_000;

const hashBytes = 32;

/** In this isolate: when each of those that wait came. */
const waiting = new Map<object, number>();

export const scryptHere: Scrypt = async (password, salt, { logN, r, p }) => {
  const now = Date.now();
  for (const [other, since] of waiting) if (since < now - forgottenAfterMs) waiting.delete(other);
  if (waiting.size >= mostWaiting) throw new BusyFault('too many passwords are waiting to be tried');
  const self = {};
  waiting.set(self, now);
  try {
    // Lets requests in that are waiting, so that they can be counted.
    await new Promise((resolve) => setTimeout(resolve, 0));
    return compute(password, salt, { N: 2 ** logN, r, p, dkLen: hashBytes });
  } finally {
    waiting.delete(self);
  }
};
