// One round of chaos: payments come by webhook and by staging, processes are killed with -9 at random moments and start
// again at once, the edge loses its database for a while. Afterwards everything that was taken in is there once: in
// the references, in the payments, in both topics of the log. The same seed kills at the same moments.

import { createHmac, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from 'redis';
import type { TcpGate } from '../../dev/doors/tcp-gate.ts';
import type { Database } from '../../shared/database.ts';
import { type Chance, seeded } from '../seeded.ts';
import type { Cast } from './cast.ts';

export const victims = ['edge', 'ingest', 'publisher', 'drain'] as const;
export type Victim = (typeof victims)[number];

export interface Arena {
  /** The owner's. */
  db: Database;
  /** The log, as Redis streams. */
  redisUrl: string;
  /** Where the edge takes webhooks for the channel `standard`. */
  webhookUrl: string;
  /** What follows `whsec_`, in base64. */
  secret: string;
  /** From the edge to Postgres. */
  gate: TcpGate;
  env: Record<Victim, Record<string, string>>;
}

export interface RoundReport {
  seed: number;
  kills: Record<Victim, number>;
  answers: Record<string, number>;
  payments: number;
}

const roundMs = 3_000;
const webhooks = 150;
const staged = 150;
const senders = 8;
const settledWithinMs = 60_000;

interface Body {
  reference_number: string;
  loan_account_number: string;
  cif: string;
  amount: string;
  payment_date: string;
}

function bodies(chance: Chance, prefix: string, count: number): Body[] {
  return Array.from({ length: count }, (_, n) => ({
    reference_number: `${prefix}-${n}`,
    loan_account_number: `LN-${chance.between(1, 20)}`,
    cif: `CIF-${chance.between(1, 20)}`,
    amount: `${chance.between(1, 9_999)}.${String(chance.between(0, 99)).padStart(2, '0')}`,
    payment_date: '2026-11-20T09:30:00Z',
  }));
}

/** Sends one webhook until it is answered 2xx, as a sender with patience does. Answers the last status and the id. */
async function sendUntilTaken(
  arena: Arena,
  body: Body,
  until: number,
): Promise<[status: number, id: string]> {
  for (let pauseMs = 50; ; pauseMs = Math.min(pauseMs * 2, 500)) {
    const text = JSON.stringify(body);
    const id = `msg_${randomUUID()}`;
    const time = Math.floor(Date.now() / 1000);
    const key = Buffer.from(arena.secret, 'base64');
    const signature = createHmac('sha256', key).update(`${id}.${time}.${text}`).digest('base64');
    const answer = await fetch(arena.webhookUrl, {
      method: 'POST',
      body: text,
      headers: {
        'content-type': 'application/json',
        'webhook-id': id,
        'webhook-timestamp': String(time),
        'webhook-signature': `v1,${signature}`,
      },
      signal: AbortSignal.timeout(10_000),
    }).catch(() => undefined);
    const said = (await answer?.json().catch(() => undefined)) as { payment_id?: string } | undefined;
    if (answer?.ok && said?.payment_id) return [answer.status, said.payment_id];
    if (answer && answer.status < 500 && answer.status !== 429) {
      throw new Error(`a good webhook was answered ${answer.status}: ${JSON.stringify(said)}`);
    }
    if (Date.now() > until)
      throw new Error(`a webhook was not taken in time: ${answer?.status ?? 'no answer'}`);
    await sleep(pauseMs);
  }
}

/** Plays one round and checks it. Throws what does not hold. */
export async function playRound(arena: Arena, cast: Cast<Victim>, seed: number): Promise<RoundReport> {
  const chance = seeded(seed);
  const prefix = `CHAOS-${seed}-${randomUUID().slice(0, 8)}`;
  const byWebhook = bodies(chance, `${prefix}-W`, webhooks);
  // A third of what is staged has come by webhook as well.
  const byStaging = [...byWebhook.slice(0, staged / 3), ...bodies(chance, `${prefix}-S`, (staged * 2) / 3)];
  const deliveries = [...byWebhook, ...byWebhook.slice(0, webhooks / 5)];
  const until = Date.now() + settledWithinMs;
  // So that it is killed at work, and not as it starts.
  await sendUntilTaken(arena, byWebhook[0] as Body, until);
  const startedAt = Date.now();
  const kills: Record<Victim, number> = { edge: 0, ingest: 0, publisher: 0, drain: 0 };
  try {
    const answers: Record<string, number> = {};
    const ids = new Map<string, string>();
    const waiting = [...deliveries];
    const spread = () => sleep(chance.next() * ((roundMs * senders) / deliveries.length));
    const sending = Array.from({ length: senders }, async () => {
      for (let body = waiting.shift(); body; body = waiting.shift()) {
        await spread();
        const [status, id] = await sendUntilTaken(arena, body, until);
        answers[status] = (answers[status] ?? 0) + 1;
        const known = ids.get(body.reference_number);
        if (known && known !== id) throw new Error(`${body.reference_number} has two ids: ${known}, ${id}`);
        ids.set(body.reference_number, id);
      }
    });
    const killing = (async () => {
      while (Date.now() < startedAt + roundMs) {
        await sleep(chance.between(100, 700));
        const victim = chance.pick(victims);
        await cast.kill(victim);
        kills[victim] += 1;
      }
    })();
    const cutting = (async () => {
      await sleep(chance.between(0, 200));
      await arena.gate.goAway();
      await sleep(chance.between(300, 1_000));
      await arena.gate.comeBack();
    })();
    const staging = stage(arena.db, byStaging, chance);
    await Promise.all([...sending, killing, cutting, staging]);
    await settled(arena, until);

    const expected = [...byWebhook, ...byStaging.slice(staged / 3)];
    await check(arena, prefix, expected, ids);
    return { seed, kills, answers, payments: expected.length };
  } finally {
    await arena.gate.comeBack();
  }
}

/** As an ETL does it, in transactions of random size. */
async function stage(db: Database, rows: readonly Body[], chance: Chance): Promise<void> {
  const left = [...rows];
  while (left.length > 0) {
    await sleep(chance.between(20, 150));
    const some = left.splice(0, chance.between(1, 20));
    await db.query(
      `insert into payment_staging (reference_number, loan_account_number, cif, amount, payment_date, payment_channel)
       select *, 'standard' from unnest($1::text[], $2::text[], $3::text[], $4::numeric[], $5::timestamp[])`,
      [
        some.map((b) => b.reference_number),
        some.map((b) => b.loan_account_number),
        some.map((b) => b.cif),
        some.map((b) => b.amount),
        some.map((b) => b.payment_date.slice(0, -1)),
      ],
    );
  }
}

/** Waits until nothing is on its way any more. */
async function settled(arena: Arena, until: number): Promise<void> {
  const redis = createClient({ url: arena.redisUrl });
  await redis.connect();
  try {
    for (;;) {
      const [row] = await arena.db.query<{ staged: number; outbox: number }>(
        `select (select count(*)::int from payment_staging where processed is not true) as staged,
                (select count(*)::int from outbox.messages where destination = 'log') as outbox`,
      );
      const accepted = await redis.xLen(acceptedStream);
      if (row?.staged === 0 && row.outbox === 0 && accepted === 0) return;
      if (Date.now() > until) throw new Error(`not settled: ${JSON.stringify({ ...row, accepted })}`);
      await sleep(100);
    }
  } finally {
    redis.destroy();
  }
}
const acceptedStream = 'accepted:payments';

async function check(arena: Arena, prefix: string, expected: readonly Body[], ids: Map<string, string>) {
  const rows = await arena.db.query<{ reference: string; id: string; event_id: string; amount: string }>(
    `select reference_number as reference, id, event_id, round(amount, 2)::text as amount
     from payment_service.payments where reference_number like $1 || '%'`,
    [prefix],
  );
  const [{ references } = { references: 0 }] = await arena.db.query<{ references: number }>(
    `select count(*)::int as references from payment_service.payment_references where reference_number like $1 || '%'`,
    [prefix],
  );
  const [{ conflicts } = { conflicts: 0 }] = await arena.db.query<{ conflicts: number }>(
    `select count(*)::int as conflicts from payment_service.payment_conflicts where reference_number like $1 || '%'`,
    [prefix],
  );
  const wrong: string[] = [];
  const hold = (what: string, is: unknown, should: unknown) => {
    if (is !== should) wrong.push(`${what}: ${is} instead of ${should}`);
  };
  hold('payments', rows.length, expected.length);
  hold('references', references, expected.length);
  hold('conflicts', conflicts, 0);
  const byReference = new Map(rows.map((row) => [row.reference, row]));
  for (const body of expected) {
    hold(`amount of ${body.reference_number}`, byReference.get(body.reference_number)?.amount, body.amount);
  }
  for (const [reference, id] of ids) hold(`id of ${reference}`, byReference.get(reference)?.id, id);

  const eventIds = new Set(rows.map((row) => row.event_id));
  for (const topic of ['payment.events', 'payment.lifecycle']) {
    // At least once each; a repetition has the same id, so that nothing is there twice for whoever knows ids.
    const published = await publishedIds(arena.redisUrl, topic, prefix);
    hold(`payments that ${topic} lacks`, [...eventIds].filter((id) => !published.has(id)).length, 0);
    hold(`events of ${topic} without a payment`, [...published].filter((id) => !eventIds.has(id)).length, 0);
  }
  if (wrong.length > 0) throw new Error(wrong.slice(0, 20).join('\n'));
}

async function publishedIds(redisUrl: string, stream: string, prefix: string): Promise<Set<string>> {
  const redis = createClient({ url: redisUrl });
  await redis.connect();
  try {
    const entries = await redis.xRange(stream, '-', '+');
    const ofRound = (entries ?? []).filter(({ message }) => message.payload?.includes(`"${prefix}-`));
    return new Set(ofRound.map(({ message }) => message.event_id as string));
  } finally {
    redis.destroy();
  }
}
