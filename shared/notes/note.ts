// A note that staff write about a customer. What was written stays as it was; what is amended stands after it.

/** Characters of one text, and how many texts a note may come to (the database has the same limits). */
export const noteTextLimit = 4_000;

interface NoteText {
  text: string;
  writtenBy: string;
  writtenAt: string;
}

export interface Note {
  id: string;
  /** The surviving customer, after all merges. */
  customerId: string;
  pinned: boolean;
  version: number;
  /** In the order in which they were written. */
  texts: NoteText[];
  createdBy: string;
  createdAt: string;
  changedAt: string;
}

/** A text may say anything about anybody, so it is hidden as a whole. */
export const maskNote = (note: Note): Note => ({
  ...note,
  texts: note.texts.map((one) => ({ ...one, text: '***' })),
});
