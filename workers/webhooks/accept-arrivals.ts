// What cannot be recorded because the database is away or too slow is kept in a stream, and answered as accepted: a
// drain records it later under the ids it has already. The stream lives on a Redis that syncs every write and never
// evicts, so that the answer is true. Where it is away, too, or full, the fault stands. Nothing is marked as seen.

import { DatabaseFault } from '../../shared/database.ts';
import type { Log } from '../../shared/log.ts';
import { writeAcceptedArrival } from '../../shared/payments/accepted-arrival.ts';
import type { Arrival } from '../../shared/payments/arrival.ts';
import { paymentIdOf } from '../../shared/payments/payment.ts';
import { openRedis } from '../redis.ts';
import type { WebhooksSettings } from './env.ts';

/** Of what is no payment, `paymentId` is null. */
export interface Accepted {
  outcome: 'accepted';
  paymentId: string | null;
}

/** Long enough for a burst: whoever is refused instead comes again and makes it worse. */
const appendTimeoutMs = 5_000;

/** Appends all or, when the stream would grow beyond its limit, none: it is never trimmed. Answers how many. */
const append = `
if redis.call('XLEN', KEYS[1]) + #ARGV - 1 > tonumber(ARGV[1]) then return 0 end
for i = 2, #ARGV do redis.call('XADD', KEYS[1], '*', 'arrival', ARGV[i]) end
return #ARGV - 1`;

/**
 * Answers what `record` did, or that all of `arrivals` are accepted; a part that was recorded before the fault becomes
 * a duplicate later. Throws what `record` threw when that was no outage, or when accepting is switched off or fails:
 * then some may be in the stream all the same, which changes nothing when they come again.
 */
export async function acceptDuringOutage<T>(
  settings: WebhooksSettings,
  log: Log,
  arrivals: readonly Arrival[],
  record: () => Promise<T[]>,
): Promise<Array<T | Accepted>> {
  try {
    return await record();
  } catch (fault) {
    const { accepted } = settings;
    if (!accepted || !(fault instanceof DatabaseFault && fault.retryable)) throw fault;
    log.warn('database_away', { error: fault.message });
    try {
      const redis = openRedis(accepted.redis, appendTimeoutMs);
      const parameters = [String(accepted.maxLength), ...arrivals.map(writeAcceptedArrival)];
      const appended = await redis.eval(append, [accepted.stream], parameters);
      if (Number(appended) !== arrivals.length) throw new Error('the stream is full');
    } catch (error) {
      log.error('accept_failed', { error: error instanceof Error ? error.message : String(error) });
      throw fault;
    }
    return Promise.all(arrivals.map(accept));
  }
}

const accept = async (arrival: Arrival): Promise<Accepted> => ({
  outcome: 'accepted',
  paymentId: arrival.kind === 'payment' ? await paymentIdOf(arrival.payment) : null,
});
