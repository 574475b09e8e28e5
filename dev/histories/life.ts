// One customer's time: the clock of a life, what has been told of it, and the pace at which it uses up its events.

import { currencyExponent, formatAmount } from '../../shared/money.ts';
import { type Chance, seeded } from '../../test/seeded.ts';
import { idsOf, scramble } from './ids.ts';
import { type Person, personOf } from './people.ts';
import { amountValue, enumText, type SenderName, type Written, write } from './senders.ts';

export const minute = 60;
export const hour = 60 * minute;
export const day = 24 * hour;

export interface Place {
  seed: number;
  /** Its number among the customers, from 0. */
  customer: number;
  currency: string;
  timeZone: string;
}

export interface Span {
  /** In seconds since 1970. */
  birth: number;
  /** The last second in which something may happen. */
  end: number;
  /** How many events there are to be. */
  quota: number;
}

/** What a story is told with. Every `tell` is at least a second after the one before. */
export type Life = ReturnType<typeof beginLife>;
/** Events in the order of their time. */
export type Story = Generator<Written, void>;

const chanceOf = (seed: number, customer: number, purpose: number): Chance =>
  seeded(scramble(scramble(seed + purpose) ^ scramble(customer + 0x51ed270b)));

export const customerIdOf = (seed: number, customer: number): string => idsOf(seed, customer)(0);

/** One in forty is somebody who was there already, under another number. */
export function originalOf(customer: number): number | undefined {
  if (customer % 40 !== 39) return undefined;
  // Now and then it is one who is merged into yet another.
  return customer % 160 === 159 ? customer - 40 : customer - 1 - ((customer * 7) % 30);
}

/** Known from seed and number alone: nobody has to be remembered for others to speak of them. */
function personAt(seed: number, customer: number): Person {
  const original = originalOf(customer);
  const own = personOf(chanceOf(seed, customer, 1));
  if (original === undefined) return own;
  const { email, phone } = own;
  return { ...personAt(seed, original), email, phone };
}

export function beginLife({ seed, customer, currency, timeZone }: Place, { birth, end, quota }: Span) {
  const chance = chanceOf(seed, customer, 2);
  const id = idsOf(seed, customer);
  const customerId = id(0);
  const exponent = currencyExponent(currency);
  if (exponent === undefined) throw new Error('histories need a known currency');
  const registration = id(1);
  let ids = 2;
  let now = birth;
  let told = 0;
  let isCrowded = false;
  const passUntil = (at: number) => {
    const limit = isCrowded ? end - (quota - told) : Number.POSITIVE_INFINITY;
    now = Math.max(now, Math.min(Math.floor(at), limit));
  };

  return {
    seed,
    customer,
    customerId,
    chance,
    currency,
    person: personAt(seed, customer),
    /** Of registration, and of whatever has no conversation of its own. */
    registration,
    id: () => id(ids++),
    now: () => now,
    /** Moves the clock on; never back. */
    passUntil,
    pass: (seconds: number) => passUntil(now + seconds),
    /** How many events later than it should be the life would be at a time, were nothing told until then. */
    behindAt: (at: number) => (quota * (Math.min(at, end) - birth)) / (end - birth) - told,
    /** When the next event should come, were they spread evenly. */
    paceTime: () => birth + ((told + 1) / quota) * (end - birth),
    left: () => quota - told,
    end,
    /** Whether the event told last leaves a second for each that is still to come. */
    isInTime: () => now <= end - (quota - told),
    /** The event told last is not told, the clock is as it was, and from now on it leaves time for all that is to come. */
    takeBack(then: number) {
      told--;
      now = then;
      isCrowded = true;
    },

    tell(
      from: SenderName,
      type: string,
      payload: Record<string, unknown>,
      conversationId = registration,
    ): Written {
      now++;
      const before = told++;
      return write(chance, {
        from,
        type,
        payload,
        customerId,
        conversationId,
        before,
        id: id(ids++),
        seconds: now,
        timeZone,
      });
    },

    /** An amount of minor units as some sender writes it. */
    amount: (amountMinor: bigint) => amountValue(chance, formatAmount({ amountMinor, currency })),
    /** Whole major units in minor ones. */
    major: (units: number) => BigInt(units) * 10n ** BigInt(exponent),
    word: (name: string, value: string) => enumText(chance, name, value),
    /** A time within a payload that orders nothing. */
    time: (seconds: number) => new Date(seconds * 1000).toISOString(),
    date: (seconds: number) => new Date(seconds * 1000).toISOString().slice(0, 10),
  };
}
