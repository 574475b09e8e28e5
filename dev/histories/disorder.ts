// What happens to events on their way: some come later than others that happened after them, some come twice.

import type { Chance } from '../../test/seeded.ts';

/** How many places an event may lose. */
export const displacedBy = 200;
/** How many places after its first coming an event may come again. */
export const repeatedWithin = 1_000;

/**
 * Every event comes, in about the order given. A share of `disorder` comes up to `displacedBy` places late, and a share of
 * `duplicates` comes once more up to `repeatedWithin` places after its place. Holds what is late and nothing else.
 */
export function* disordered<T>(
  events: Iterable<T>,
  { chance, duplicates, disorder }: { chance: Chance; duplicates: number; disorder: number },
): Generator<T, void> {
  const slots: T[][] = Array.from({ length: repeatedWithin + displacedBy + 1 }, () => []);
  const slot = (place: number) => slots[place % slots.length]!;
  let place = 0;
  function* late() {
    yield* slot(place);
    slot(place).length = 0;
    place++;
  }
  for (const event of events) {
    const delay = disorder > 0 && chance.next() < disorder ? chance.between(1, displacedBy) : 0;
    if (delay === 0) yield event;
    else slot(place + delay).push(event);
    if (duplicates > 0 && chance.next() < duplicates)
      slot(place + delay + chance.between(1, repeatedWithin)).push(event);
    if (slot(place).length > 0) yield* late();
    else place++;
  }
  for (let rest = slots.length; rest > 0; rest--) yield* late();
}
