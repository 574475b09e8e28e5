// The projector: folds events of other systems, and of our own log, into what staff see, for as long as it lives. Any
// number may run. SIGTERM: finishes the batches in progress.

import { live } from '../live.ts';

await live(() => import('./run.ts'));
