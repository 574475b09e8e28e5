// What an aggregate knows, as registers: for each field the value that was said last, and when. Taking a step keeps, for
// each field, the higher version; of creations it keeps the first. Both are the same in any order and any repetition, so
// whatever way a set of events arrives, it ends in one state; what staff see is derived from that and never stored alone.

/** The sender's time, a space, the event id; compared as text. Without a time it begins with the space, below any time. */
export type Version = string;

export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };
export type Values = Readonly<Record<string, Json>>;
type Register = readonly [version: Version, value: Json];

export interface State {
  /** The first creation: a later one, replayed or sent twice under another id, changes nothing. */
  readonly created?: readonly [version: Version, values: Values];
  readonly fields: Readonly<Record<string, Register>>;
}

export const emptyState: State = { fields: {} };

/** What one event says about one aggregate. */
export interface Step {
  version: Version;
  creation: boolean;
  values: Values;
}

export const versionOf = (time: string | undefined, eventId: string): Version => `${time ?? ''} ${eventId}`;

/** The sender's time within a version; undefined when it had none. */
export const timeOf = (version: Version): string | undefined =>
  version.slice(0, version.indexOf(' ')) || undefined;

export function take(state: State, { version, creation, values }: Step): State {
  if (creation) {
    return state.created && !precedes(version, state.created[0])
      ? state
      : { ...state, created: [version, values] };
  }
  let fields: Record<string, Register> | undefined;
  for (const name of Object.keys(values)) {
    const known = state.fields[name];
    if (known && known[0] >= version) continue;
    fields ??= { ...state.fields };
    fields[name] = [version, values[name] as Json];
  }
  return fields ? { ...state, fields } : state;
}

/** Of two creations, the one with a time is first, then the earlier one. */
const precedes = (a: Version, b: Version): boolean =>
  a.startsWith(' ') === b.startsWith(' ') ? a < b : b.startsWith(' ');

/** What was said last about a field, by an update or by the creation. */
export function register(state: State, name: string): Register | undefined {
  const said = state.fields[name];
  const [version, values] = state.created ?? [];
  if (version === undefined || values?.[name] === undefined) return said;
  return said && said[0] > version ? said : [version, values[name]];
}

export const lastSaid = (state: State, name: string): Json | undefined => register(state, name)?.[1];

export const textIn = (state: State, name: string): string | null => {
  const value = lastSaid(state, name);
  return typeof value === 'string' ? value : null;
};

export const numberIn = (state: State, name: string): number | null => {
  const value = lastSaid(state, name);
  return typeof value === 'number' ? value : null;
};

/** The names of all fields that begin with `prefix`, without it, in order. */
export function namesUnder(state: State, prefix: string): string[] {
  const names = [...Object.keys(state.created?.[1] ?? {}), ...Object.keys(state.fields)];
  const under = names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  return [...new Set(under)].sort();
}
