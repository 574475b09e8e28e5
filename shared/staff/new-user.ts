// Somebody who is to be known from now on.

import type { Person } from './caller.ts';

export interface NewUser {
  /** Lower case; for ever. */
  username: string;
  displayName: string;
  email: string | null;
  team: string | null;
  roles: readonly string[];
  actor: string;
  /** Who vouches for them: we by a password, or a provider under its own name for them. */
  by:
    | { source: 'password'; hash: string; mustChange: boolean }
    | { source: Exclude<Person['source'], 'password'>; externalId: string };
}
