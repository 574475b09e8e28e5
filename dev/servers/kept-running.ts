// A server process that is started again when it ends by itself, a second later and with a line. One that dies for the
// third time within a minute is lost, as any other that ends.

import { setTimeout as sleep } from 'node:timers/promises';
import { say } from '../progress.ts';
import { type Launch, launch, type Server } from './process.ts';

const pauseMs = 1_000;
const deathsAllowed = 2;
const withinMs = 60_000;

export async function keepRunning(plan: Launch & { onLoss: (line: string) => void }): Promise<Server> {
  const stopping = new AbortController();
  let deaths: number[] = [];
  let server: Server;
  /** The start that is under way, if any. */
  let again: Promise<void> = Promise.resolve();

  const startAgain = async () => {
    await sleep(pauseMs, undefined, { signal: stopping.signal });
    await server.stop();
    server = await launch({ ...plan, onLoss: lost });
  };
  const lost = (line: string) => {
    const now = performance.now();
    deaths = [...deaths, now].filter((at) => at > now - withinMs);
    if (deaths.length > deathsAllowed) return plan.onLoss(line);
    say(`${line}. It is started again.`);
    again = startAgain().catch((error: Error) => {
      if (!stopping.signal.aborted) plan.onLoss(error.message);
    });
  };

  server = await launch({ ...plan, onLoss: lost });
  return {
    async stop() {
      stopping.abort();
      await again;
      await server.stop();
    },
  };
}
