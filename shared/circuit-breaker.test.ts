import { expect, test } from 'vitest';
import { CircuitBreaker } from './circuit-breaker.ts';

const start = Date.UTC(2026, 10, 23, 10);
const broken = (faults = 3) => {
  const breaker = new CircuitBreaker(3, 1_000);
  for (let i = 0; i < faults; i++) breaker.failed(start);
  return breaker;
};

test('until the limit of faults in a row everybody may ask', () => {
  const breaker = broken(2);
  for (let i = 0; i < 10; i++) expect(breaker.mayAsk(start)).toBe(true);
});

test('at the limit nobody may ask before the time of the probe', () => {
  const breaker = broken();
  for (const later of [0, 1, 500, 999]) expect(breaker.mayAsk(start + later)).toBe(false);
});

test('one request in each interval is the probe, the others may not ask', () => {
  const breaker = broken();
  expect([1_000, 1_000, 1_500, 1_999].map((later) => breaker.mayAsk(start + later))).toEqual([
    true,
    false,
    false,
    false,
  ]);
  expect(breaker.mayAsk(start + 2_000)).toBe(true);
});

test('a probe that faults leaves it open, and a probe whose answer never comes does too', () => {
  const breaker = broken();
  expect(breaker.mayAsk(start + 1_000)).toBe(true);
  breaker.failed(start + 1_700);
  expect(breaker.mayAsk(start + 1_999)).toBe(false);
  expect(breaker.mayAsk(start + 2_000)).toBe(true);
  expect(breaker.mayAsk(start + 2_001)).toBe(false);
  expect(breaker.mayAsk(start + 60_000)).toBe(true);
});

test('faults of requests that were under way when it opened do not put off the probe', () => {
  const breaker = broken();
  for (let i = 0; i < 100; i++) breaker.failed(start + 900);
  expect(breaker.mayAsk(start + 1_000)).toBe(true);
});

test('an answer closes it, and it takes the whole limit to open it again', () => {
  const breaker = broken();
  expect(breaker.mayAsk(start + 1_000)).toBe(true);
  breaker.answered();
  breaker.failed(start + 1_100);
  breaker.failed(start + 1_100);
  expect(breaker.mayAsk(start + 1_100)).toBe(true);
  breaker.failed(start + 1_100);
  expect(breaker.mayAsk(start + 1_100)).toBe(false);
});

test('an answer between two faults starts the count anew', () => {
  const breaker = broken(2);
  breaker.answered();
  breaker.failed(start);
  breaker.failed(start);
  expect(breaker.mayAsk(start)).toBe(true);
});

test('it says how it is', () => {
  expect(broken(2).state).toBe('closed');
  const breaker = broken();
  expect(breaker.state).toBe('open');
  breaker.mayAsk(start + 1_000);
  expect(breaker.state).toBe('half_open');
  breaker.failed(start + 1_000);
  expect(breaker.state).toBe('open');
  breaker.mayAsk(start + 2_000);
  breaker.answered();
  expect(breaker.state).toBe('closed');
});
