// Encryption of the archive: AES-256-GCM, a random key for each subject, itself encrypted by a master key from the
// settings. Several master keys may be given while they are being rotated: the first wraps, all of them unwrap.

import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { MasterKeyFault, type Vault, type WrappedKey } from '../../shared/servicing/vault.ts';

const algorithm = 'aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;
/** Keys of subjects that were unwrapped last. What may still be used is for the database to say, each time anew. */
const remembered = 50_000;

export interface MasterKey {
  name: string;
  key: Uint8Array;
}

/** The first master key wraps. */
export function openVault(masters: readonly MasterKey[]): Vault {
  const [current] = masters;
  if (!current) throw new Error('a vault needs a master key');
  const masterKeys = new Map(masters.map(({ name, key }) => [name, createSecretKey(key)]));
  const wrapping = createSecretKey(current.key);
  const unwrapped = new Map<string, KeyObject>();

  const unwrap = ({ master, wrapped }: WrappedKey): KeyObject => {
    const name = Buffer.from(wrapped).toString('latin1');
    const known = unwrapped.get(name);
    if (known) return known;
    const found = masterKeys.get(master);
    if (!found) throw new MasterKeyFault(`the master key ${master} is not among ARCHIVE_MASTER_KEYS`);
    return remember(name, createSecretKey(decrypt(found, wrapped, 'subject key')));
  };
  const remember = (name: string, key: KeyObject): KeyObject => {
    // The one that is known longest goes.
    if (unwrapped.size === remembered)
      for (const oldest of unwrapped.keys()) {
        unwrapped.delete(oldest);
        break;
      }
    unwrapped.set(name, key);
    return key;
  };

  return {
    newKey: () => {
      const key = randomBytes(32);
      const wrapped = encrypt(wrapping, key, 'subject key');
      remember(wrapped.toString('latin1'), createSecretKey(key));
      return { master: current.name, wrapped };
    },
    seal: (key, text, context) => encrypt(unwrap(key), text, context),
    open: (key, sealed, context) => decrypt(unwrap(key), sealed, context).toString(),
  };
}

/** Random bytes are made for many nonces at once: that costs as much as for one. */
let nonces = randomBytes(0);
let noncesUsed = 0;
function newNonce(): Buffer {
  if (noncesUsed === nonces.length) {
    nonces = randomBytes(nonceBytes * 1_000);
    noncesUsed = 0;
  }
  noncesUsed += nonceBytes;
  return nonces.subarray(noncesUsed - nonceBytes, noncesUsed);
}

/** Nonce, ciphertext, tag. Key objects: from raw bytes a cipher takes three times as long to make. */
function encrypt(key: KeyObject, plain: Uint8Array | string, context: string): Buffer {
  const nonce = newNonce();
  const cipher = createCipheriv(algorithm, key, nonce).setAAD(Buffer.from(context));
  const sealed = typeof plain === 'string' ? cipher.update(plain, 'utf8') : cipher.update(plain);
  // Of this algorithm there is nothing left for the end.
  cipher.final();
  return Buffer.concat([nonce, sealed, cipher.getAuthTag()]);
}

function decrypt(key: KeyObject, sealed: Uint8Array, context: string): Buffer {
  const at = sealed.length - tagBytes;
  const decipher = createDecipheriv(algorithm, key, sealed.subarray(0, nonceBytes))
    .setAAD(Buffer.from(context))
    .setAuthTag(sealed.subarray(at));
  return Buffer.concat([decipher.update(sealed.subarray(nonceBytes, at)), decipher.final()]);
}
