// scrypt beside the requests, in the runtime's own threads: here one process answers everything, and a payment must not
// wait until somebody's password is tried.

import { scrypt } from 'node:crypto';
import { BusyFault, type Scrypt } from '../../shared/staff/password-hash.ts';

const hashBytes = 32;
/** Each takes some 16 MiB while it is computed; the runtime computes four at a time. */
const mostWaiting = 16;
const blockBytes = 128;

let waiting = 0;

export const nativeScrypt: Scrypt = async (password, salt, { logN, r, p }) => {
  if (waiting >= mostWaiting) throw new BusyFault('too many passwords are waiting to be tried');
  waiting += 1;
  try {
    const N = 2 ** logN;
    return await new Promise((resolve, reject) =>
      scrypt(password, salt, hashBytes, { N, r, p, maxmem: 2 * blockBytes * N * r }, (error, hash) =>
        error ? reject(error) : resolve(hash),
      ),
    );
  } finally {
    waiting -= 1;
  }
};
