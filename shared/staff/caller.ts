// Somebody whom we know: a person in a session, or a service with a key. What they may do is their grants, and what they
// do is written down under their actor.

import type { Grants } from './roles.ts';

interface Known {
  /** `user:<username>` or `key:<prefix>`. */
  actor: string;
  /** To be shown. */
  name: string;
  grants: Grants;
}

export interface Person extends Known {
  kind: 'user';
  id: string;
  username: string;
  email: string | null;
  team: string | null;
  source: 'password' | 'oidc' | 'ldap';
  roles: readonly string[];
  session: { id: string; kind: 'browser' | 'client'; lastUsedAt: Date };
  /** Their password was given to them: they may set their own, and nothing else. */
  mustChangePassword: boolean;
}

export interface Service extends Known {
  kind: 'key';
  prefix: string;
  expiresAt: Date | null;
  lastUsedAt: Date | null;
}

export type Caller = Person | Service;
