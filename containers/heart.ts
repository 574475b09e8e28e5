// Beats on a timer of its own, so that a process whose work hangs can still say that it hangs. A beat that fails or
// takes longer than the interval is given up; the next one comes at its time.

import type { FaultLog } from './fault-log.ts';
import { within } from './time-limit.ts';

export interface Heart {
  /** Beats now instead of at the next interval; at once after the beat under way, if there is one. */
  beatNow(): void;
  /** Ends once the beat under way has ended. */
  stop(): Promise<void>;
}

export function startHeart(beat: () => Promise<void>, everyMs: number, faults: FaultLog): Heart {
  let timer = setTimeout(run, everyMs);
  let beating = false;
  let lastBeat = Promise.resolve();
  let again = false;
  let stopped = false;

  function run(): void {
    clearTimeout(timer);
    lastBeat = beatOnce();
  }

  async function beatOnce(): Promise<void> {
    beating = true;
    again = false;
    try {
      await within(everyMs, beat());
      faults.succeeded();
    } catch (error) {
      faults.failed(error);
    }
    beating = false;
    if (!stopped) timer = setTimeout(run, again ? 0 : everyMs);
  }

  return {
    beatNow() {
      if (beating) again = true;
      else if (!stopped) run();
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
      return lastBeat;
    },
  };
}
