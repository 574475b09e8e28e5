// What tests of folding share: events without an envelope's noise.

import { readEnvelope, type StreamEvent } from '../stream/envelope.ts';
import type { Incoming } from './fold-batch.ts';
import type { Rules } from './projection.ts';
import { readEvent } from './read-event.ts';

export const rules: Rules = { timeZone: 'Europe/Berlin', currency: 'EUR', balances: 'events' };

let count = 0;

/** In the long spelling; `at` is the envelope's timestamp. */
export function event(
  type: string,
  payload: Record<string, unknown>,
  { id = `e-${++count}`, at, ...others }: Record<string, string | undefined> = {},
): StreamEvent {
  const fields = {
    event_type: type,
    id,
    ...(at === undefined ? {} : { timestamp: at }),
    ...others,
    payload: JSON.stringify(payload),
  };
  const read = readEnvelope(fields as Record<string, string>, rules.timeZone);
  if (!read.ok) throw new Error(read.refusal);
  return read.value;
}

export function incoming(one: StreamEvent, source = 'test'): Incoming {
  const read = readEvent(one, rules);
  if (!read.ok) throw new Error(`${one.type}: ${read.refusal}`);
  return { source, read: read.value };
}
