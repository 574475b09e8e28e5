// Signed bodies, or parts of them, that could not be read are kept for staff before the answer goes out.

import { type Channel, schemeOf } from '../../shared/payments/channel.ts';
import { keepRejectedBodies } from '../../shared/payments/keep-rejected-bodies.ts';
import type { BodyRefusal } from '../../shared/payments/payment-body.ts';
import { rejectedBody } from '../../shared/payments/rejected-body.ts';
import type { RequestContext } from '../app.ts';
import { openDatabase } from '../database.ts';
import type { WebhooksSettings } from './env.ts';

/** The sender waits for no more than this. */
const timeoutMs = 2_000;

/** Throws DatabaseFault. */
export async function keepRejected(
  c: RequestContext<WebhooksSettings>,
  channel: Channel,
  parts: ReadonlyArray<{ body: Uint8Array | string; refusal: BodyRefusal }>,
): Promise<void> {
  const { database } = c.get('settings');
  const db = openDatabase({ ...database, timeoutMs: Math.min(timeoutMs, database.timeoutMs) });
  const { identifiers } = schemeOf(channel);
  const requestId = c.get('requestId');
  const bodies = await Promise.all(
    parts.map((part) => rejectedBody({ ...part, channel: channel.name, requestId }, identifiers)),
  );
  await keepRejectedBodies(db, bodies);
  c.get('log').warn('body_rejected', { channel: channel.name, parts: parts.length });
  c.get('afterwards').counts.add('recoup_webhook_rejected_total', { channel: channel.name }, parts.length);
}
