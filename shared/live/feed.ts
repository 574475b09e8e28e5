// The changes of the last while, kept for all who watch: each knows the moment up to which it has been told, and gets what
// came after it. Plain data, so that requests may share it.

import type { Change } from './change.ts';
import { type Snapshot, sees, seesAllOf } from './snapshot.ts';

const batchesLimit = 60;
const changesLimit = 5_000;

export class Feed {
  /** All that lies between `base` and `tip`. */
  #base: Snapshot | undefined;
  #batches: Array<{ tip: Snapshot; changes: readonly Change[] }> = [];
  #count = 0;

  /** The moment up to which everything is here; undefined before the first. */
  get tip(): Snapshot | undefined {
    return this.#batches.at(-1)?.tip ?? this.#base;
  }

  /** From here on; forgets what was before. */
  begin(at: Snapshot): void {
    this.#base = at;
    this.#batches = [];
    this.#count = 0;
  }

  /** What lies between the tip and a later moment, which becomes the tip. */
  add(tip: Snapshot, changes: readonly Change[]): void {
    this.#batches.push({ tip, changes });
    this.#count += changes.length;
    while (this.#batches.length > 1 && (this.#batches.length > batchesLimit || this.#count > changesLimit)) {
      const oldest = this.#batches.shift();
      this.#base = oldest?.tip;
      this.#count -= oldest?.changes.length ?? 0;
    }
  }

  /** What came after that moment, and up to which; undefined when the moment is older than what is kept. */
  after(told: Snapshot): { changes: Change[]; upTo: Snapshot } | undefined {
    const { tip } = this;
    if (!tip || !this.#base || !seesAllOf(told, this.#base)) return undefined;
    // Somebody who comes from elsewhere may have been told more than is here yet.
    if (seesAllOf(told, tip)) return { changes: [], upTo: told };
    const changes = this.#batches.flatMap((batch) =>
      batch.changes.filter(({ transaction }) => !sees(told, transaction)),
    );
    return { changes, upTo: tip };
  }
}
