// Ingest: takes what is staged to the payments, asks providers about their notices and runs the jobs. Any number may
// run: they share out staged rows and notices, and each job is run by one of them at a time. SIGTERM: what is in
// progress ends at its next step.

import { live } from '../live.ts';

await live(() => import('./run.ts'));
