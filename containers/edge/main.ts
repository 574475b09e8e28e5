// The edge without Cloudflare: the three Workers' apps on Node or Deno, over connections to Postgres instead of HTTP.
// Answers probes at once and everything else when its memory is warm. SIGTERM: accepts nothing more, answers what it
// has accepted.

import { live } from '../live.ts';

await live(() => import('./run.ts'));
