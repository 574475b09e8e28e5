// A provider's word that something changed, without the facts: it is kept, and the provider's API is asked for them.

export interface NewNotice {
  channel: string;
  /** The provider's own id of the event: tells a repeated notice from another one. */
  noticeReference: string;
  /** What to ask the provider about, in the channel's own terms (an id of a payment, an event or a cursor). */
  subject: string;
  /** What the provider sent of it, as JSON text. */
  payload: string;
  actor: string;
}
