// What is tried again and again fails again and again. This says a fault when it begins, when it becomes another
// one and when it is over, and nothing in between.

import { errorFields, type Log } from '../shared/log.ts';

export interface FaultLog {
  /** Faults since the last success. */
  readonly failures: number;
  failed(error: unknown): void;
  succeeded(): void;
}

/** Events are `<what>_failed` and `<what>_recovered`. Faults are the same when name and message are; causes may vary. */
export function faultLog(log: Log, what: string): FaultLog {
  let failures = 0;
  let current: string | undefined;
  return {
    get failures() {
      return failures;
    },
    failed(error) {
      failures += 1;
      const fault = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      if (fault !== current) log.error(`${what}_failed`, errorFields(error));
      current = fault;
    },
    succeeded() {
      if (failures > 0) log.info(`${what}_recovered`, { failures });
      failures = 0;
      current = undefined;
    },
  };
}
