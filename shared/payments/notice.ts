// A provider's word that something changed, without the facts: it is kept, and the provider's API is asked for them.

export interface NewNotice {
  channel: string;
  /** The provider's own id of the event: tells a repeated notice from another one. */
  noticeReference: string;
  /** What to ask the provider about, in the channel's own terms (an id of a payment, an event or a cursor). */
  subject: string;
  /** What the provider sent of it, as JSON text. */
  payload: string;
  /**
   * True for a notice that is always about the same thing ("there is more since you last asked"): coming again it is
   * asked again, also when it was done, and keeps where the last answer ended.
   */
  standing: boolean;
  actor: string;
}

/**
 *   waiting   to be asked at its time
 *   done      the answer is recorded; a standing notice waits again when it comes again
 *   failed    the answer is no payment that can be recorded, or there was none after the last attempt; staff may have it
 *             asked again
 */
export type NoticeStatus = 'waiting' | 'done' | 'failed';
