// A moment of the database as Postgres writes it (pg_snapshot): every transaction below `xmax` has committed or come to
// nothing by then, but for those listed. Moments of one database follow on one another, so what lies between two of them is
// exactly what the later one sees and the earlier one does not, in whichever order it was committed. Pure.

export interface Snapshot {
  /** As Postgres writes it; also the id of a message. */
  text: string;
  xmax: bigint;
  running: ReadonlySet<bigint>;
}

const pattern = /^(\d{1,19}):(\d{1,19}):((?:\d{1,19}(?:,\d{1,19})*)?)$/;
/** Of some hundred transactions at once. */
const lengthLimit = 4_000;

/** Undefined for anything that Postgres would not read as one. */
export function parseSnapshot(text: string | undefined): Snapshot | undefined {
  const parts = text !== undefined && text.length <= lengthLimit ? pattern.exec(text) : null;
  if (!text || !parts) return undefined;
  const [xmin, xmax] = [BigInt(parts[1] as string), BigInt(parts[2] as string)];
  const running = parts[3] ? parts[3].split(',').map(BigInt) : [];
  const inOrder = running.every(
    (id, i) => id >= xmin && id < xmax && (i === 0 || id > (running[i - 1] as bigint)),
  );
  if (xmin < 1n || xmin > xmax || xmax >= 2n ** 63n || !inOrder) return undefined;
  return { text, xmax, running: new Set(running) };
}

/** Whether what the transaction did is seen. */
export const sees = ({ xmax, running }: Snapshot, transaction: bigint): boolean =>
  transaction < xmax && !running.has(transaction);

/** Whether it sees all that the other one does. */
export const seesAllOf = (one: Snapshot, other: Snapshot): boolean =>
  one.xmax >= other.xmax && [...one.running].every((id) => !sees(other, id));
