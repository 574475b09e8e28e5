// An event that is to be kept until it is folded, and what becomes of it.

import type { Fields, StreamEvent } from './envelope.ts';

export interface NewEvent extends Pick<StreamEvent, 'id' | 'payloadHash'> {
  fields: Fields;
}

/** A duplicate is known with the same content, a conflict with other content, and is not kept. */
export type KeptEvent = 'accepted' | 'duplicate' | 'conflict';
