// A job: bounded work that is done now and then, by one process at a time. Here are its name, how often it is due, and
// what is known of its runs; what it does is in containers/ingest.
//
//   its last run                      it is due
//   none                              at once, unless it runs only when it is asked for
//   began everySeconds ago            at once, whatever became of it
//   is running                        at once, but its process holds the lock; if it can be had, the run is abandoned
//   abandoned                         at once, unless the two before it were abandoned as well
//   anything else                     when it began everySeconds ago
//   any, and a request waits          at once
//   failed, and a process starts      at once

export const jobs: Record<
  'staging' | 'partitions' | 'retention' | 'cleanup' | 'figures' | 'approvals',
  JobKind
> = {
  staging: { everySeconds: null, does: 'Takes what is staged to the payments now' },
  partitions: {
    everySeconds: 3_600,
    does: 'Creates the coming months of the payments and of the archive of events, and moves what fell beside them',
  },
  retention: { everySeconds: 86_400, does: 'Exports old months of payments to files and drops them' },
  cleanup: { everySeconds: 3_600, does: 'Deletes old records of work that is done' },
  figures: { everySeconds: 600, does: 'Counts the instalments that fall due in the coming days' },
  approvals: { everySeconds: 300, does: 'Ends requests for a second person that nobody decided in time' },
};

interface JobKind {
  /** Null: only when it is asked for. */
  everySeconds: number | null;
  does: string;
}

export type JobName = keyof typeof jobs;
export const jobNames = Object.keys(jobs) as JobName[];
export const isJobName = (text: string): text is JobName => Object.hasOwn(jobs, text);

export type RunStatus = 'requested' | 'running' | 'succeeded' | 'failed' | 'abandoned';

/** Counts and short words of what a run did; shown to whoever may read jobs. */
export type RunDetail = Record<string, string | number | boolean | null>;

export type RunEnd =
  | { status: 'succeeded'; detail: RunDetail }
  /** `error` is shown to whoever may read jobs. `abandoned` means that its process had to stop. */
  | { status: 'failed' | 'abandoned'; error: string };

/** What decides whether a job is due. */
export interface Schedule {
  job: JobName;
  requestWaits: boolean;
  /** Of the last run that has begun. */
  lastStatus: RunStatus | null;
  lastStartedSecondsAgo: number | null;
  /** How many of the latest runs were abandoned, one after the other; not counted beyond `abandonedLimit`. */
  abandonedInARow: number;
}

/** A job that kills its process again and again waits for its time like any other. */
export const abandonedLimit = 3;

export function isDue(schedule: Schedule, everySeconds: number | null): boolean {
  const { requestWaits, lastStatus, lastStartedSecondsAgo } = schedule;
  if (requestWaits || lastStatus === 'running') return true;
  if (lastStartedSecondsAgo === null) return everySeconds !== null;
  if (lastStatus === 'abandoned' && schedule.abandonedInARow < abandonedLimit) return true;
  return everySeconds !== null && lastStartedSecondsAgo >= everySeconds;
}
