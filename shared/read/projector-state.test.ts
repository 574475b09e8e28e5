import { expect, test } from 'vitest';
import { projectorState } from './projector-state.ts';

const stream = { source: 'inbox:a', waiting: 7, pending: 2, oldestPendingSeconds: 3, kept: 9 };
const told = {
  waiting: 7,
  oldest_pending_seconds: 3,
  events_per_second: 10,
  dead_letters: 1,
  streams: [stream],
  unhandled: { a: 1, b: 2 },
};

test('who spoke last says how much waits; rates and types are added up', () => {
  const earlier = { ...told, waiting: 99, dead_letters: 4, streams: [], unhandled: { b: 5 } };
  expect(
    projectorState([
      { ageSeconds: 4, detail: earlier },
      { ageSeconds: 1, detail: told },
    ]),
  ).toEqual({
    waiting: 7,
    oldestPendingSeconds: 3,
    perSecond: 20,
    deadLetters: 1,
    streams: [{ stream: 'inbox:a', waiting: 7, pending: 2, oldestPendingSeconds: 3, kept: 9 }],
    unhandled: { a: 1, b: 7 },
  });
});

test('what could not be asked is unknown, and what is no number counts as none', () => {
  const detail = {
    waiting: null,
    oldest_pending_seconds: null,
    events_per_second: 'many',
    streams: null,
    unhandled: { a: null },
  };
  expect(projectorState([{ ageSeconds: 1, detail }])).toEqual({
    waiting: null,
    oldestPendingSeconds: null,
    perSecond: 0,
    deadLetters: null,
    streams: null,
    unhandled: { a: 0 },
  });
});

test('without a projector nothing is known', () => {
  expect(projectorState([])).toEqual({
    waiting: null,
    oldestPendingSeconds: null,
    perSecond: null,
    deadLetters: null,
    streams: null,
    unhandled: {},
  });
});
