// An accepted arrival that could not be recorded, as it is kept until somebody has looked at it.

export interface BuriedArrival {
  stream: string;
  entryId: string;
  /** As it stood in the stream; what Postgres cannot keep in a text is replaced. */
  arrival: string;
  reason: string;
}
