// Breached passwords out of a list in the form of Have I Been Pwned: a line each, `<SHA-1 in hex>:<how often>`. How far
// a list has been read is kept with what was read of it, so that whoever is interrupted goes on from there.

import type { TransactionalDatabase } from '../database.ts';
import { addBreached, noteListRead, readOfList } from './password-store.ts';

export interface PasswordList {
  name: string;
  sizeBytes: number;
}

/** Lines of the list from this byte on, each with the byte after it. */
export type ReadLines = (fromByte: number) => AsyncIterable<{ text: string; endByte: number }>;

const pattern = /^([0-9A-Fa-f]{40}):(\d{1,12})$/;
const rowsAtOnce = 20_000;

export class ListFault extends Error {
  override readonly name = 'ListFault';
}

/** Leaves out what was seen less often than `minimumCount`. Throws ListFault for a line in another form. */
export async function loadBreachedPasswords(
  db: TransactionalDatabase,
  list: PasswordList,
  readLines: ReadLines,
  minimumCount: number,
  progress: (readBytes: number, added: number) => void,
): Promise<number> {
  let added = 0;
  let batch: string[] = [];
  let lines = 0;
  const flush = async (endByte: number) => {
    added += await db.transaction(async (tx) => {
      const count = await addBreached(tx, batch);
      await noteListRead(tx, list, endByte);
      return count;
    });
    batch = [];
    lines = 0;
    progress(endByte, added);
  };
  const from = await readOfList(db, list);
  let end = from;
  for await (const { text, endByte } of readLines(from)) {
    const [, sha1, count] = pattern.exec(text.trim()) ?? [];
    if (sha1 === undefined) {
      if (text.trim() !== '') throw new ListFault(`before byte ${endByte}: expected <SHA-1>:<count>`);
    } else if (Number(count) >= minimumCount) batch.push(sha1);
    lines += 1;
    end = endByte;
    if (lines >= rowsAtOnce) await flush(end);
  }
  if (lines > 0) await flush(end);
  return added;
}
