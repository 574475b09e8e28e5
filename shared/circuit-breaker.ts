// Knows whether asking what a process depends on (the database, the ledger) is worth it, so that in a long outage not
// every request waits for its time limit. Plain data, one per process; what it knows is lost with it and learnt anew.
//
//   state    what happens                          what follows
//   closed   a request                             may ask
//   closed   the nth fault in a row (n = limit)    open, the next probe after probeEveryMs
//   open     a request before the probe's time     may not ask
//   open     a request at or after it              half open, and it may ask: it is the probe; the next one after
//                                                  probeEveryMs
//   half     a fault                               open
//   any      an answer                             closed, no faults

export type BreakerState = 'closed' | 'open' | 'half_open';

export class CircuitBreaker {
  #limit: number;
  #probeEveryMs: number;
  #faults = 0;
  #nextProbeAt = 0;
  #isProbing = false;

  constructor(limit: number, probeEveryMs: number) {
    this.#limit = limit;
    this.#probeEveryMs = probeEveryMs;
  }

  get state(): BreakerState {
    if (this.#faults < this.#limit) return 'closed';
    return this.#isProbing ? 'half_open' : 'open';
  }

  /** Whether a request may ask at `now` (milliseconds); the one that may while it is open is its probe. */
  mayAsk(now: number): boolean {
    if (this.#faults < this.#limit) return true;
    if (now < this.#nextProbeAt) return false;
    this.#nextProbeAt = now + this.#probeEveryMs;
    this.#isProbing = true;
    return true;
  }

  failed(now: number): void {
    this.#faults += 1;
    this.#isProbing = false;
    if (this.#faults === this.#limit) this.#nextProbeAt = now + this.#probeEveryMs;
  }

  answered(): void {
    this.#faults = 0;
    this.#isProbing = false;
  }
}
