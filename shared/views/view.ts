// A saved view: a list with filters and order, under a name. Its owner alone changes it; others see it when it is shared.

import type { Permission } from '../staff/permissions.ts';

/** The lists that may be saved, and what it takes to read them. */
export const viewLists = {
  payments: 'payments:read',
  customers: 'customers:read',
  accounts: 'customers:read',
  delinquent: 'customers:read',
  conversations: 'customers:read',
} as const satisfies Record<string, Permission>;

export type ViewList = keyof typeof viewLists;
export const viewListNames = Object.keys(viewLists) as ViewList[];

export const sharings = ['nobody', 'team', 'everybody'] as const;
export type SharedWith = (typeof sharings)[number];

/** Parameters of the list's own route, by name. */
export type ViewQuery = Record<string, string>;

export const viewLimits = { perOwner: 100, name: 100, parameters: 20, parameterName: 40, value: 200 };

/** What somebody searches for names people, and where a page ended is of that moment. */
export const notSaved: readonly string[] = ['q', 'after'];

export interface ViewContent {
  name: string;
  list: ViewList;
  query: ViewQuery;
  sharedWith: SharedWith;
}

export interface View extends ViewContent {
  id: string;
  owner: string;
  version: number;
  createdAt: string;
  changedAt: string;
}
