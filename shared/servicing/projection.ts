// A projection: what a kind of aggregate looks like in its table, derived from its state alone. `lists` are tables with
// several rows an aggregate, replaced as a whole when they change.

import type { Business } from './event-type.ts';
import { type Json, type State, textIn } from './registers.ts';

/** Values by column, as Postgres takes them as text. */
export type Row = Readonly<Record<string, string | number | boolean | null>>;

/** Names of types are Postgres' own, for casting arrays of texts. */
type ColumnType = 'text' | 'boolean' | 'int' | 'numeric' | 'timestamptz' | 'date' | 'jsonb';
export type Columns = Readonly<Record<string, ColumnType>>;

export interface RowList {
  table: string;
  /** The column that names the aggregate. */
  key: string;
  columns: Columns;
  rows(state: State): Row[];
}

/** Of a deployment: its zone and currency, and whose balances count. */
export interface Rules extends Business {
  balances: 'events' | 'ledger';
}

export interface Projection {
  /** What a rebuild of it is called. */
  group: 'customers' | 'accounts' | 'conversations';
  table: string;
  key: string;
  columns: Columns;
  row(state: State, rules: Rules): Row;
  lists: readonly RowList[];
  /** Other names of it: kind and value. */
  identifiers(id: string, state: State): Array<{ kind: string; value: string; version: string }>;
}

/** The currency of an aggregate is that of the first of these amounts that is known. */
export function currencyIn(state: State, ...names: string[]): string | null {
  for (const name of names) {
    const money = textIn(state, name);
    if (money && / [A-Z]{3}$/.test(money)) return money.slice(-3);
  }
  return null;
}

/** The amount, when it is in the aggregate's currency: a number without its currency is never shown. */
export function amountIn(state: State, name: string, currency: string | null): string | null {
  const money = textIn(state, name);
  return money?.slice(-3) === currency ? money.slice(0, -4) : null;
}

export const jsonText = (value: Json | undefined): string | null =>
  value === undefined || value === null ? null : JSON.stringify(value);
