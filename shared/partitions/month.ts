// Months of the payments table: UTC months, each written as its first day, `2025-01-01`. Pure; `now` is an argument.

/** The first day of a UTC month. */
export type Month = string;

export const monthOf = (instant: Date): Month => `${instant.toISOString().slice(0, 7)}-01`;

/** `by` may be negative. */
export function monthsLater(month: Month, by: number): Month {
  const first = new Date(`${month}T00:00:00Z`);
  first.setUTCMonth(first.getUTCMonth() + by);
  return monthOf(first);
}

/** A month may go when it ended `kept` months ago or earlier. */
export const mayGo = (month: Month, now: Date, kept: number): boolean =>
  month < monthsLater(monthOf(now), -kept);

/**
 * The name of a month's export. A month that was exported and dropped may come back, with payments that came late; its
 * `nth` export then has a name of its own.
 */
export const exportName = (month: Month, nth: number): string =>
  `payments_${month.slice(0, 7).replace('-', '_')}${nth === 1 ? '' : `_${nth}`}`;
