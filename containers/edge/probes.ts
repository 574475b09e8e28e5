// The three questions of an orchestrator, answered beside the front door without a key:
//
//   /livez      does it run and reach its database?     otherwise it may be restarted
//   /readyz     does it reach all it depends on?         otherwise nothing should be sent to it
//   /startupz   is its memory warm?                      until then it answers nothing else
//
// Answers are kept for a moment, so that asking often costs nothing.

import { within } from '../time-limit.ts';

const keptMs = 1_000;
const checkLimitMs = 2_000;

export interface ProbeChecks {
  database: () => Promise<unknown>;
  /** Named, beside the database. */
  others: Record<string, () => Promise<unknown>>;
  condition: () => 'starting' | 'running' | 'draining';
}

/** Undefined for a path that is no probe. */
export function createProbes({ database, others, condition }: ProbeChecks) {
  const databaseCheck = kept(database);
  const otherChecks = Object.entries(others).map(([name, check]) => [name, kept(check)] as const);

  return async (path: string): Promise<Response | undefined> => {
    if (path === '/livez') return tell({ database: await databaseCheck() });
    if (path === '/startupz') return tell({ memory: condition() !== 'starting' });
    if (path !== '/readyz') return undefined;
    const found = await Promise.all(otherChecks.map(async ([name, check]) => [name, await check()] as const));
    const accepting = condition() === 'running';
    return tell({ accepting, database: await databaseCheck(), ...Object.fromEntries(found) });
  };
}

/** Asks at most once per moment, and takes too long a silence for a no. */
function kept(check: () => Promise<unknown>): () => Promise<boolean> {
  let until = 0;
  let answer: Promise<boolean> | undefined;
  return () => {
    if (answer && Date.now() < until) return answer;
    until = Date.now() + checkLimitMs + keptMs;
    answer = within(checkLimitMs, check()).then(
      () => true,
      () => false,
    );
    void answer.then(() => {
      until = Date.now() + keptMs;
    });
    return answer;
  };
}

function tell(checks: Record<string, boolean>): Response {
  const isWell = Object.values(checks).every(Boolean);
  const words = Object.entries(checks).map(([name, well]) => [name, well ? 'ok' : 'error']);
  return Response.json(Object.fromEntries(words), {
    status: isWell ? 200 : 503,
    headers: { 'cache-control': 'no-store' },
  });
}
