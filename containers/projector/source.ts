// Where events come from, as the projector sees it: what is delivered stays with its reader until it is settled, and
// comes again if it never is. Settling happens after the commit; what is delivered again changes nothing.

import type { Fields } from '../../shared/stream/envelope.ts';

export interface Delivery {
  /** The stream, topic or table that it came from. */
  source: string;
  /** Names it within its source: a stream's entry id, a topic's partition and offset, a row's position. */
  entryId: string;
  /** Null when somebody has deleted the entry itself: there is nothing to fold. */
  fields: Fields | null;
}

/** How far one source is from being empty. A type, because a heartbeat's detail is one. */
export type SourceState = {
  source: string;
  /** Not delivered yet. */
  waiting: number;
  /** Delivered to anybody and not settled, and the age of the oldest of these by its entry id. */
  pending: number;
  oldestPendingSeconds: number;
  /** Entries that it holds in all, where it is for us to trim it. */
  kept?: number;
};

export interface Source {
  /**
   * The next deliveries, at most `limit`: what this reader has not settled, then what other readers have not settled for
   * long, then what is new. Waits a moment for new ones when there is nothing. `held` are entries of ours that are to
   * be left alone for now.
   */
  next(limit: number, held: (delivery: Delivery) => boolean): Promise<Delivery[]>;
  /** Never to be delivered again. Safe to repeat. */
  settle(deliveries: readonly Delivery[]): Promise<void>;
  state(): Promise<SourceState[]>;
  /** What has to be done now and then: trims what every group is done with, forgets readers that are gone. */
  tend(): Promise<void>;
  /** Gives up the reader's name where it holds nothing. Does not throw. */
  close(): Promise<void>;
}
