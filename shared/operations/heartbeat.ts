// What a long-running process says of itself every few seconds. Who hears nothing for a while must take it for dead:
// a heartbeat promises nothing about the time after it.

export interface Heartbeat {
  process: string;
  /** Tells the instances of a process apart; the same one overwrites its earlier heartbeat. */
  instance: string;
  healthy: boolean;
  /** Names, counts and instants only: it is shown to whoever may see health. */
  detail: HeartbeatDetail;
}

type Plain = string | number | boolean | null;
/** What belongs to one of several things (streams, types) is told beside its name. */
export type HeartbeatDetail = Record<
  string,
  Plain | Record<string, Plain> | ReadonlyArray<Record<string, Plain>>
>;
