import { expect, test } from 'vitest';
import { isDue, type Schedule } from './job.ts';

const everySeconds = 60;
const due = (changes: Partial<Schedule>) =>
  isDue(
    {
      job: 'cleanup',
      requestWaits: false,
      lastStatus: 'succeeded',
      lastStartedSecondsAgo: 10,
      abandonedInARow: 0,
      ...changes,
    },
    everySeconds,
  );

test('a job that has never run is due', () => {
  expect(due({ lastStatus: null, lastStartedSecondsAgo: null })).toBe(true);
});

test('a job is due when its last run began an interval ago, whether it succeeded or failed', () => {
  for (const lastStatus of ['succeeded', 'failed'] as const) {
    expect(due({ lastStatus, lastStartedSecondsAgo: 59.9 })).toBe(false);
    expect(due({ lastStatus, lastStartedSecondsAgo: 60 })).toBe(true);
  }
});

test('a job that somebody asks for is due at once', () => {
  expect(due({ requestWaits: true })).toBe(true);
});

test('a run that may have been left by a dead process makes the job due; the lock tells', () => {
  expect(due({ lastStatus: 'running' })).toBe(true);
});

test('an abandoned run is made up for at once, but not when it is the third in a row', () => {
  expect(due({ lastStatus: 'abandoned', abandonedInARow: 2 })).toBe(true);
  expect(due({ lastStatus: 'abandoned', abandonedInARow: 3 })).toBe(false);
  expect(due({ lastStatus: 'abandoned', abandonedInARow: 3, lastStartedSecondsAgo: 60 })).toBe(true);
});
