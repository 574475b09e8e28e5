// When something happened, as its sender says it, with all of its digits: two changes within a millisecond keep their
// order. Written so that comparing texts compares times.

import { parseInstant } from '../calendar-date.ts';

/** `YYYY-MM-DDTHH:MM:SS.nnnnnnnnnZ`, UTC, nine digits after the point. */
export type SenderTime = string;

/** Reads ISO 8601 (without an offset: of `timeZone`), or Unix time in seconds or milliseconds. */
export function senderTime(text: string, timeZone: string): SenderTime | undefined {
  const unix = /^(\d{9,10}|\d{12,13})(?:\.(\d{1,9}))?$/.exec(text);
  if (unix) {
    const [, whole = '', fraction = ''] = unix;
    const isMilliseconds = whole.length > 10;
    const instant = new Date(isMilliseconds ? Number(whole) : Number(whole) * 1000);
    const milliseconds = isMilliseconds ? whole.slice(-3) : '';
    return withDigits(instant, milliseconds + fraction);
  }
  const instant = parseInstant(text, timeZone);
  return instant && withDigits(instant, /[.,](\d+)/.exec(text)?.[1] ?? '');
}

const withDigits = (instant: Date, digits: string): SenderTime =>
  `${instant.toISOString().slice(0, 20)}${digits.padEnd(9, '0').slice(0, 9)}Z`;
