// What an LDAP server of ours tells its clients, whichever it is, and what it takes.

import type { Person } from './people.ts';

export interface DirectoryOptions {
  /** Emptied first. */
  dataDir: string;
  logFile: string;
  people: readonly Person[];
}

interface Account {
  dn: string;
  password: string;
}

export interface Directory {
  /** ldaps:// */
  url: string;
  /** ldap://, for StartTLS; passwords in the clear are refused or not as the server has it by default. */
  plainUrl: string;
  /** What clients are to trust, as PEM. */
  ca: string;
  baseDn: string;
  /** Reads people and groups, and changes nothing. */
  bindDn: string;
  bindPassword: string;
  /** May do anything, for tests that change people. */
  admin: Account;
  stop(): Promise<void>;
}
