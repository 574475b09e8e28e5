// The directory's container: asks Active Directory or OpenLDAP for the auth Worker, which speaks no LDAP, and keeps the
// people here as they are there. More than one is safe. SIGTERM: answers what it has been asked.

import { live } from '../live.ts';

await live(() => import('./run.ts'));
