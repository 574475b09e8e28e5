// The roles to begin with. They belong to the code, so that what a version adds is in them at once; roles beside them
// are made of the same permissions and live in the database. A permission has a reach: whose things it is about.

import { isAboutBelongings, isPermission, type Permission, permissions } from './permissions.ts';

/** Everybody's; the team's own; only what one made or was given. Each holds the ones after it. */
export const reaches = ['all', 'team', 'own'] as const;
export type Reach = (typeof reaches)[number];

export type Grants = ReadonlyMap<Permission, Reach>;

interface Role {
  description: string;
  grants: Partial<Record<Permission, Reach>>;
}

const every = Object.keys(permissions) as Permission[];
const toAll = (granted: readonly Permission[]): Role['grants'] =>
  Object.fromEntries(granted.map((permission) => [permission, 'all']));

const supervising: readonly Permission[] = [
  'payments:read',
  'payments:record',
  'payments:reverse',
  'postings:read',
  'postings:match',
  'postings:move',
  'conflicts:decide',
  'customers:read',
  'customers:personal',
  'notes:write',
  'ledger:read',
  'ledger:repay',
  'ledger:fees',
  'ledger:waive',
  'ledger:write-off',
  'ledger:adjust',
  'ledger:disburse',
  'requests:read',
  'requests:decide',
  'metrics:read',
  'users:read',
];

export const builtInRoles = {
  admin: {
    description: 'Everything, sign-in and roles included',
    grants: toAll(every),
  },
  supervisor: {
    description: 'Leads agents: customers, payments, conflicts, loans and what others ask for',
    grants: { ...toAll(supervising), 'views:share': 'team', 'sessions:read': 'team', 'sessions:end': 'team' },
  },
  agent: {
    description: 'Talks to customers; waives fees, or asks for it',
    grants: {
      'payments:read': 'all',
      'postings:read': 'all',
      'customers:read': 'all',
      'customers:personal': 'all',
      'notes:write': 'own',
      'ledger:read': 'all',
      'ledger:waive': 'all',
      'requests:read': 'all',
    },
  },
  operations: {
    description: 'Keeps the flows running: staging, jobs, notices, dead letters; customers masked',
    grants: toAll([
      'payments:read',
      'postings:read',
      'postings:match',
      'conflicts:decide',
      'customers:read',
      'ledger:read',
      'requests:read',
      'jobs:read',
      'jobs:run',
      'staging:read',
      'staging:correct',
      'rejected:read',
      'rejected:resend',
      'notices:read',
      'notices:retry',
      'dead-letters:read',
      'dead-letters:replay',
      'dead-letters:discard',
      'metrics:read',
    ]),
  },
  auditor: {
    description: 'Reads everything, changes nothing',
    grants: toAll(every.filter((permission) => /:(read|personal)$/.test(permission))),
  },
  service: {
    description: 'A program: records and reads payments, reads the metrics',
    grants: toAll(['payments:read', 'payments:record', 'metrics:read']),
  },
} as const satisfies Record<string, Role>;

export type BuiltInRole = keyof typeof builtInRoles;

export const isBuiltInRole = (name: string): name is BuiltInRole => Object.hasOwn(builtInRoles, name);

/** What roles add up to: of each permission the widest reach. What this version does not know, or is worth nothing, is dropped. */
export function grantsOf(
  roles: readonly string[],
  others: ReadonlyArray<readonly [permission: string, reach: string]>,
): Grants {
  const ofBuiltIn = roles.filter(isBuiltInRole).flatMap((role) => Object.entries(builtInRoles[role].grants));
  const grants = new Map<Permission, Reach>();
  for (const [permission, reach] of [...ofBuiltIn, ...others]) {
    if (!isPermission(permission) || !isReach(reach)) continue;
    if (reach !== 'all' && !isAboutBelongings(permission)) continue;
    const held = grants.get(permission);
    if (held === undefined || reaches.indexOf(reach) < reaches.indexOf(held)) grants.set(permission, reach);
  }
  return grants;
}

const isReach = (text: string): text is Reach => reaches.some((reach) => reach === text);
