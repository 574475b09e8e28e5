// What is tried again and again fails again and again. This says each fault once until something succeeds, and then
// that it is over: an outage is a few lines, however long it lasts.

import { errorFields, type Log } from '../shared/log.ts';

export interface FaultLog {
  /** Faults since the last success. */
  readonly failures: number;
  failed(error: unknown): void;
  succeeded(): void;
}

/** More different faults than this in one outage are not told apart. */
const most = 20;

/** Events are `<what>_failed` and `<what>_recovered`. Faults are the same when name and message are. */
export function faultLog(log: Log, what: string): FaultLog {
  let failures = 0;
  const said = new Set<string>();
  return {
    get failures() {
      return failures;
    },
    failed(error) {
      failures += 1;
      const fault = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      if (said.has(fault) || said.size === most) return;
      said.add(fault);
      log.error(`${what}_failed`, errorFields(error));
    },
    succeeded() {
      if (failures > 0) log.info(`${what}_recovered`, { failures });
      failures = 0;
      said.clear();
    },
  };
}
