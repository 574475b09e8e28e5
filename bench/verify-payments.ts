// Accepted = recorded = published: compares what senders were told with the payments in Postgres and with the entries
// of both topics' streams. Nothing missing, nothing twice, nothing that nobody sent.

import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { createClient } from 'redis';

const topics = ['payment.events', 'payment.lifecycle'] as const;
const publishedWithinMs = 120_000;
const page = 10_000;

export interface Verification {
  accepted: number;
  recorded: number;
  published: Record<(typeof topics)[number], number>;
  /** Empty when all is well. */
  faults: string[];
}

const missing = (wanted: ReadonlySet<string>, there: ReadonlySet<string>): number =>
  [...wanted].filter((each) => !there.has(each)).length;

/** `prefix` begins the reference number of every payment that was sent and of no other. */
export async function verifyPayments(
  servers: { databaseUrl: string; redisUrl: string },
  prefix: string,
  accepted: ReadonlySet<string>,
): Promise<Verification> {
  const faults: string[] = [];
  const client = new pg.Client({ connectionString: servers.databaseUrl });
  await client.connect();
  const redis = createClient({ url: servers.redisUrl });
  await redis.connect();
  try {
    const deadline = Date.now() + publishedWithinMs;
    const waiting = async () =>
      (await client.query("select from outbox.messages where destination = 'log' limit 1")).rowCount;
    while (await waiting()) {
      if (Date.now() > deadline) {
        faults.push(`the outbox is not empty after ${publishedWithinMs / 1_000} s`);
        break;
      }
      await sleep(200);
    }
    const { rows } = await client.query<{ reference_number: string; event_id: string }>(
      'select reference_number, event_id from payment_service.payments where starts_with(reference_number, $1)',
      [prefix],
    );
    const recorded = new Set(rows.map((row) => row.reference_number));
    const eventIds = new Set(rows.map((row) => row.event_id));
    const expect = (what: string, count: number) => count > 0 && faults.push(`${count} ${what}`);
    expect('payments are recorded twice', rows.length - recorded.size);
    expect('accepted payments are not recorded', missing(accepted, recorded));
    expect('recorded payments were not accepted', missing(recorded, accepted));

    const published = { 'payment.events': 0, 'payment.lifecycle': 0 };
    for (const topic of topics) {
      const seen = new Set<string>();
      let twice = 0;
      let from = '-';
      for (;;) {
        const entries = (await redis.xRange(topic, from, '+', { COUNT: page })) ?? [];
        for (const { message } of entries) {
          const id = message.event_id as string;
          if (!eventIds.has(id)) continue;
          if (seen.has(id)) twice += 1;
          seen.add(id);
        }
        if (entries.length < page) break;
        from = `(${entries.at(-1)?.id}`;
      }
      published[topic] = seen.size;
      expect(`events are on ${topic} twice`, twice);
      expect(`events are missing on ${topic}`, missing(eventIds, seen));
    }
    return { accepted: accepted.size, recorded: recorded.size, published, faults };
  } finally {
    await client.end();
    redis.destroy();
  }
}
