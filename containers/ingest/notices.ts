// Asks providers about the notices that were kept. Any number of processes may do so at once: each notice is claimed.
//
//   the provider           what follows
//   answered               recorded and done; a standing notice with more to come is asked on at once
//   answered, no payment   failed, with the reason; staff may have it asked again when the provider's data is mended
//   did not answer         asked again after 5, 10, 20, 40, ... s, at most an hour; failed after twenty attempts (11 h)
//   a crash in between     asked again when the claim has run out

import type { TransactionalDatabase } from '../../shared/database.ts';
import { DatabaseFault } from '../../shared/database.ts';
import { errorFields, type Log } from '../../shared/log.ts';
import { type Channel, schemeOf } from '../../shared/payments/channel.ts';
import type { Business } from '../../shared/payments/payment-fields.ts';
import { type Fetch, ProviderFault } from '../../shared/payments/scheme.ts';
import {
  type ClaimedNotice,
  claimNotices,
  failNotice,
  postponeNotice,
  refusalText,
  settleNotice,
} from '../../shared/payments/settle-notices.ts';
import type { LoopState } from '../loop.ts';

export interface NoticeOptions {
  db: TransactionalDatabase;
  /** All of them; those whose scheme has an API and that have a token are asked. */
  channels: ReadonlyMap<string, Channel>;
  business: Business;
  log: Log;
  fetch: Fetch;
  /** The longest that one question may take. */
  timeoutMs: number;
  /** Asked at the same time. */
  batchSize: number;
}

const backoff = { minMs: 5_000, maxMs: 3_600_000 };
const attemptsLimit = 20;
/** Some notices need several questions. */
const questionsLimit = 4;

const retryInMs = (attempts: number) =>
  Math.min(backoff.maxMs, backoff.minMs * 2 ** Math.min(attempts - 1, 20));

export function askingNotices({ db, channels, business, log, fetch, timeoutMs, batchSize }: NoticeOptions) {
  const asked = [...channels.values()].filter(
    (channel) => schemeOf(channel).api && channel.api?.token !== undefined,
  );
  const names = asked.map(({ name }) => name);
  const leaseMs = timeoutMs * questionsLimit + 30_000;
  const total = { asked: 0, failed: 0 };
  let lastAnsweredAt: string | null = null;

  const fetchInTime: Fetch = (url, init) => fetch(url, { ...init, signal: AbortSignal.timeout(timeoutMs) });

  async function askOne(notice: ClaimedNotice): Promise<void> {
    const channel = channels.get(notice.channel) as Channel;
    try {
      const answer = await schemeOf(channel).api?.ask(notice, channel, business, fetchInTime);
      if (!answer?.ok) {
        total.failed += 1;
        log.warn('notice_failed', { channel: channel.name, notice_id: notice.id });
        return await failNotice(db, notice, answer ? refusalText(answer.refusal) : 'nobody to ask');
      }
      const isSettled = await settleNotice(db, notice, answer.value);
      if (!isSettled) return;
      total.asked += 1;
      lastAnsweredAt = new Date().toISOString();
      log.info('notice_answered', {
        channel: channel.name,
        notice_id: notice.id,
        arrivals: answer.value.arrivals.length,
      });
    } catch (error) {
      // The claim runs out, and it is asked again.
      if (error instanceof DatabaseFault && error.retryable) throw error;
      await unanswered(notice, error);
    }
  }

  async function unanswered(notice: ClaimedNotice, error: unknown): Promise<void> {
    const { channel, id: notice_id, attempts } = notice;
    log.warn('notice_unanswered', { channel, notice_id, attempts, ...errorFields(error) });
    // Only these two say nothing of values.
    const isSafe = error instanceof ProviderFault || error instanceof DatabaseFault;
    const message = isSafe ? error.message : 'internal error';
    if (attempts < attemptsLimit) return postponeNotice(db, notice, message, retryInMs(attempts));
    total.failed += 1;
    return failNotice(db, notice, message);
  }

  /** One batch; answers how many notices were asked about. */
  const step = async (): Promise<number> => {
    if (names.length === 0) return 0;
    const claimed = await claimNotices(db, { channels: names, limit: batchSize, leaseMs });
    const settled = await Promise.allSettled(claimed.map(askOne));
    const fault = settled.find((one) => one.status === 'rejected');
    if (fault) throw fault.reason;
    return claimed.length;
  };

  const heartbeat = ({ condition, failures }: LoopState) => ({
    healthy: condition === 'running' || condition === 'draining',
    detail: {
      notices_condition: condition,
      notices_failures: failures,
      notices_channels: names.length,
      notices_asked_total: total.asked,
      notices_failed_total: total.failed,
      notices_last_answered_at: lastAnsweredAt,
    },
  });

  return { step, heartbeat };
}
