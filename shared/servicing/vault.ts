// What a fold may know of encryption; the process brings it. Keys of subjects are random, and kept wrapped by a master
// key, so that deleting one row makes everything sealed with it unreadable for good.

export interface WrappedKey {
  /** The name of the master key that wraps it. */
  master: string;
  wrapped: Uint8Array;
}

export interface Vault {
  /** A new key for a subject, wrapped. */
  newKey(): WrappedKey;
  /** `context` must be the same when it is opened: a sealed event cannot take another one's place. */
  seal(key: WrappedKey, text: string, context: string): Uint8Array;
  /** Throws when it was not sealed so, or when the master key is not known here. */
  open(key: WrappedKey, sealed: Uint8Array, context: string): string;
}

/** This process lacks a master key: no event is at fault, and the settings need attention. */
export class MasterKeyFault extends Error {
  override readonly name = 'MasterKeyFault';
}
