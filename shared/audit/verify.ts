// Verifies the audit trail: works out the whole chain anew from the entries as they are, a page at a time, and says where
// it first breaks. What it cannot see by itself is that the end of the chain was cut off together with its entries:
// that shows against a head that was kept elsewhere.

import type { Database } from '../database.ts';
import { type Head, nextHash } from './chain.ts';
import { countUnsealed, entriesOutside, linksAfter } from './store.ts';

export type Break =
  | { kind: 'seal_missing'; position: number }
  | { kind: 'entry_missing'; position: number; entryId: string }
  /** The entry, or its seal, or one was put between. */
  | { kind: 'changed'; position: number; entryId: string }
  /** Neither sealed nor waiting for it: nobody who goes by the rules has written it, or its seal was removed. */
  | { kind: 'put_in'; entryId: string }
  /** It waited for its seal. */
  | { kind: 'unsealed_missing'; entryId: string }
  /** The chain does not reach so far, or has another hash there. */
  | { kind: 'not_as_expected'; position: number };

export interface Verified {
  head: Head | undefined;
  /** Entries that wait for their seal. */
  unsealed: number;
  broken: Break | undefined;
}

const page = 5_000;

/** `checked` hears how many links held so far. Throws DatabaseFault. */
export async function verifyTrail(
  db: Database,
  { expected, checked }: { expected?: Head | undefined; checked: (links: number) => void },
): Promise<Verified> {
  let head: Head | undefined;
  let met = expected === undefined;
  const found = async (broken: Break | undefined): Promise<Verified> => ({
    head,
    unsealed: await countUnsealed(db),
    broken,
  });
  for (;;) {
    const links = await linksAfter(db, head?.position ?? 0, page);
    for (const { position, entryId, hash, text } of links) {
      const due: number = (head?.position ?? 0) + 1;
      if (position !== due) return found({ kind: 'seal_missing', position: due });
      if (text === null) return found({ kind: 'entry_missing', position, entryId });
      if ((await nextHash(head?.hash ?? '', text)) !== hash)
        return found({ kind: 'changed', position, entryId });
      if (position === expected?.position) {
        if (hash !== expected.hash) return found({ kind: 'not_as_expected', position });
        met = true;
      }
      head = { position, hash };
    }
    checked(head?.position ?? 0);
    if (links.length < page) break;
  }
  if (!met) return found({ kind: 'not_as_expected', position: (expected as Head).position });
  return found(await outside(db));
}

async function outside(db: Database): Promise<Break | undefined> {
  const { putIn, missing } = await entriesOutside(db);
  if (putIn !== null) return { kind: 'put_in', entryId: putIn };
  return missing === null ? undefined : { kind: 'unsealed_missing', entryId: missing };
}
