// A list in SQL: filters, one of a closed set of orders, and pages from where the last one ended. Every order is that of an
// index over (key, id), read from one end; both go the same way, so that a page goes on by one comparison of rows.

import type { Database } from '../database.ts';
import { ok, type Result, refused } from '../result.ts';
import { type PageKeys, pageKeys, type TextPage } from './page.ts';

const keyTypes = {
  /** As text sorts by its bytes, whatever the database's language. */
  text: { part: 'text', cast: '::text collate "C"', shown: (key: string) => key },
  integer: { part: 'integer', cast: '::int', shown: (key: string) => key },
  decimal: { part: 'decimal', cast: '::numeric', shown: (key: string) => key },
  instant: {
    part: 'instant',
    cast: '::timestamptz',
    shown: (key: string) =>
      `case when isfinite(${key}) then to_char(${key} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') else ${key}::text end`,
  },
} as const;

export interface Order {
  /** SQL, as the index has it. */
  key: string;
  type: keyof typeof keyTypes;
  direction: 'asc' | 'desc';
}

export type ListRefusal = 'foreign_key';

/** Conditions of a statement; a filter that was not given is none. */
export interface Conditions {
  where: string[];
  params: unknown[];
}

/** Adds a condition with one parameter, unless there is no value for it. */
export function condition<Value>(
  conditions: Conditions,
  value: Value | undefined,
  sql: (parameter: string) => string,
): void {
  if (value === undefined) return;
  conditions.params.push(value);
  conditions.where.push(sql(`$${conditions.params.length}`));
}

/**
 * `from` is the table, `id` its key. `select` is what is shown of the rows `shown` of the page alone, `joins` and `ctes` (over
 * `page`) are what is looked up for these. `conditions` are about columns of the table.
 */
export function list<Sort extends string>(
  name: string,
  { from, id, orders }: { from: string; id: string; orders: Readonly<Record<Sort, Order>> },
) {
  const keys = Object.fromEntries(
    Object.entries<Order>(orders).map(([sort, { type }]) => [
      sort,
      pageKeys(`${name} by ${sort}`, keyTypes[type].part, 'text'),
    ]),
  ) as Record<Sort, PageKeys>;
  return async <Row extends object>(
    db: Database,
    {
      sort,
      after,
      limit,
      conditions,
      select,
      ctes,
      joins = '',
    }: {
      sort: Sort;
      after: string | undefined;
      limit: number;
      conditions: Conditions;
      select: string;
      ctes?: string;
      joins?: string;
    },
  ): Promise<Result<TextPage<Row>, ListRefusal>> => {
    const { key, type, direction } = orders[sort];
    const { cast, shown } = keyTypes[type];
    const params = [...conditions.params];
    const where = [...conditions.where];
    const place = `(${key}, ${id} collate "C")`;
    if (after !== undefined) {
      const parts = keys[sort].decode(after);
      if (!parts) return refused('foreign_key');
      where.push(
        `${place} ${direction === 'asc' ? '>' : '<'} ($${params.length + 1}${cast}, $${params.length + 2}::text collate "C")`,
      );
      params.push(...parts);
    }
    params.push(limit + 1);
    const rows = await db.query<Row & { sortKey: string; sortId: string }>(
      `with page as materialized (
         select t.*, row_number() over (order by ${key} ${direction}, ${id} collate "C" ${direction}) as place,
           ${shown(key)} as sort_key
         from ${from} t ${where.length > 0 ? `where ${where.join(' and ')}` : ''}
         order by ${key} ${direction}, ${id} collate "C" ${direction} limit $${params.length}::int
       )${ctes === undefined ? '' : `, ${ctes}`}
       select ${select}, shown.sort_key::text as "sortKey", shown.${id} as "sortId" from page shown ${joins} order by shown.place`,
      params,
    );
    const last = rows.length > limit ? rows[limit - 1] : undefined;
    return ok({
      rows: rows.slice(0, limit).map(({ sortKey: _, sortId: __, ...row }) => row as unknown as Row),
      next: last && keys[sort].encode([last.sortKey, last.sortId]),
    });
  };
}
