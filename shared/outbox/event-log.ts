// What the relay may know of the log it publishes to (Kafka, Redis Streams): messages in, confirmation out.
// A log that cannot do what was asked throws EventLogFault and nothing else, within a time it bounds itself.

import type { OutboxMessage } from './message.ts';

export interface EventLog {
  /**
   * Appends the messages so that those of one key stand in the order given, and returns when all of them are
   * confirmed. When it throws, none, some or all may have been appended: repeating the call is safe, since a
   * consumer knows a repeated message by its event id.
   */
  append(messages: readonly OutboxMessage[]): Promise<void>;
  /** Returns when the log would take messages now. */
  check(): Promise<void>;
  /** Lets go of the connection. Does not throw; nothing may be appended afterwards. */
  close(): Promise<void>;
}

/**
 * The log is away, refuses, or did not confirm in time. Worth repeating, unless it is a TooLargeFault. The message
 * names the reason and is safe to log; what the log says about values stays in `cause`.
 */
export class EventLogFault extends Error {
  override readonly name: string = 'EventLogFault';
}

/**
 * The log has said that this is more than it takes, and says so every time: fewer messages may do, and a message that
 * is too large by itself never will.
 */
export class TooLargeFault extends EventLogFault {
  override readonly name = 'TooLargeFault';
}
