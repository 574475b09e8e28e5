// Calendar dates as the ledger counts with them.

import { parseInstant } from '../calendar-date.ts';

/** YYYY-MM-DD. */
export type Day = string;

export const isDay = (text: string): boolean =>
  /^\d{4}-\d{2}-\d{2}$/.test(text) && parseInstant(text, 'UTC') !== undefined;

const dayMs = 86_400_000;

/** Negative when `to` is before `from`. */
export const daysBetween = (from: Day, to: Day): number => (Date.parse(to) - Date.parse(from)) / dayMs;
