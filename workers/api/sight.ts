// How a caller sees customers: what names people is masked without `customers:personal`; with it every read is in the audit
// trail, written by the statement that reads.

import { routePath } from 'hono/route';
import { auditing, type Shown } from '../../shared/audit/auditing.ts';
import type { NewEntry, Resolved } from '../../shared/audit/entry.ts';
import type { Database } from '../../shared/database.ts';
import type { RequestContext } from '../app.ts';
import { askerOf } from '../caller.ts';
import { openDatabase } from '../database.ts';
import type { ApiSettings } from './env.ts';

type C = RequestContext<ApiSettings>;

/** For what names nobody. */
export const unnamedReads = (c: C): Database => openDatabase(c.get('settings').database);

export interface Sight {
  /** For one statement. */
  db: Database;
  masked: boolean;
  /** A thing as the caller sees it. */
  seen<T>(thing: T, mask: (thing: T) => T): T;
}

/** `whom` the read is about: one customer, or those of its rows. */
export function sightOf(c: C, whom: Resolved | Shown): Sight {
  const db = unnamedReads(c);
  if (!c.get('caller').grants.has('customers:personal')) {
    return { db, masked: true, seen: (thing, mask) => mask(thing) };
  }
  const entry: NewEntry = {
    action: 'customer.read',
    subject: { kind: 'customer', id: 'by' in whom ? whom : null },
    details: { route: routePath(c, -1) },
  };
  const audited = auditing(db, askerOf(c), entry, 'by' in whom ? undefined : whom);
  return { db: audited, masked: false, seen: (thing) => thing };
}

/** The rows of a list, each of which has the customer it is about. */
export const customersOf = (limit: number): Shown => ({ id: '"customerId"', atMost: limit });
