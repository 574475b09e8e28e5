// The chain of seals as it can be checked by anybody who has the entries: each hash is SHA-256 of the hash before it (of
// nothing, for the first) and of the entry's canonical text.

export interface Head {
  /** Hex. */
  hash: string;
  position: number;
}

/** A seal, and the entry as it is now. */
export interface Link {
  position: number;
  entryId: string;
  hash: string;
  /** Null when the entry is gone. */
  text: string | null;
}

export const written = ({ hash, position }: Head): string => `${hash}:${position}`;

/** As it is written down: HASH:POSITION. */
export function parseHead(text: string): Head | undefined {
  const [, hash, position] = /^([0-9a-f]{64}):([1-9]\d{0,14})$/.exec(text.trim()) ?? [];
  return hash === undefined ? undefined : { hash, position: Number(position) };
}

export async function nextHash(before: string, text: string): Promise<string> {
  const bytes = new TextEncoder().encode(text);
  const from = before.match(/../g) ?? [];
  const joined = new Uint8Array(from.length + bytes.length);
  joined.set(from.map((byte) => Number.parseInt(byte, 16)));
  joined.set(bytes, from.length);
  return Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', joined)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('');
}
