// For test files: the run's Keycloak, OpenLDAP and Active Directory, started when the first file asks. Each has people
// of its own; a file that changes something there puts it back, or takes a person of its own. Null when it is skipped.

import { inject } from 'vitest';
import type { Directory } from '../dev/servers/directory.ts';
import type { Keycloak } from '../dev/servers/keycloak.ts';
import type { Person } from '../dev/servers/people.ts';
import { ask } from './on-demand.ts';

export interface WithPeople {
  people: Person[];
}

/** It sends browsers to any path on any port of 127.0.0.1. */
export const sharedKeycloak = () =>
  ask<Omit<Keycloak, 'stop'> & WithPeople>(inject('onDemandUrl'), 'keycloak');

export const sharedOpenLdap = () =>
  ask<Omit<Directory, 'stop'> & WithPeople>(inject('onDemandUrl'), 'openldap');

export const sharedActiveDirectory = () =>
  ask<Omit<Directory, 'stop'> & WithPeople>(inject('onDemandUrl'), 'active-directory');
