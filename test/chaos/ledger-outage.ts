// Kills the ledger under load, keeps it away for as long as told, and starts it again. Writers repeat what was not answered,
// under its key; afterwards every key is in the ledger once. Whoever asks meanwhile is told at once.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from '../../containers/database.ts';
import { key, loanOf } from '../../containers/ledger/testing.ts';
import { openLedgerClient } from '../../containers/ledger-client.ts';
import { spawnContainer } from '../../containers/testing.ts';
import { freePort } from '../../dev/servers/port.ts';
import {
  AccountingLedgerServiceService as accounting,
  RecordRepaymentRequest,
} from '../../proto/generated/accounting_ledger.ts';
import { LoanLedgerServiceService as loans } from '../../proto/generated/loan_ledger.ts';
import { verifyLedger } from '../../shared/ledger/verify.ts';

export interface LedgerOutage {
  /** The ledger's: DATABASE_URL, LEDGER_DATABASE_URL, REDIS_URL. */
  env: Record<string, string>;
  /** Of the ledger's database. */
  db: Pool;
  seconds: number;
  writers: number;
  say: (line: string) => void;
}

export interface LedgerOutageResult {
  /** Answers by what they said: ok, or the kind of the refusal. */
  answers: Record<string, number>;
  states: string[];
  /** Of a call while the ledger was known to be away, in the middle. */
  refusedWithinMs: number;
  /** From the ledger being back until the first answer. */
  foundAfterMs: number;
  promised: number;
  /** Keys that are not in the ledger exactly once, and what its own check says. */
  broken: string[];
}

const loanCount = 5;
const aroundMs = 1_500;
const startWithinMs = 60_000;
const finishWithinMs = 60_000;

async function startLedger(env: Record<string, string>) {
  const container = spawnContainer('ledger', env);
  const deadline = performance.now() + startWithinMs;
  while (!container.lines.some(({ event }) => event === 'ledger_started')) {
    if (performance.now() > deadline || container.child.exitCode !== null)
      throw new Error(`the ledger did not start: ${container.errors()}`);
    await sleep(50);
  }
  return container;
}

export async function runLedgerOutage({
  db,
  seconds,
  writers,
  say,
  ...more
}: LedgerOutage): Promise<LedgerOutageResult> {
  await using ending = new AsyncDisposableStack();
  const port = await freePort();
  const env = { ...more.env, LEDGER_PORT: String(port), LEDGER_KEYS: key };
  let ledger = await startLedger(env);
  ending.defer(async () => {
    ledger.child.kill('SIGKILL');
    await ledger.exited;
  });
  const client = openLedgerClient({
    address: `127.0.0.1:${port}`,
    services: ['accounting', 'loans'],
    ...{ key, tls: undefined, timeoutMs: 2_000, attempts: 3, maxMessageBytes: 1_048_576 },
    breaker: { faults: 5, probeEveryMs: 500 },
  });
  ending.defer(() => client.close());
  for (let n = 0; n < loanCount; n++) {
    const opened = await client.call(loans.openLoan, loanOf(`outage-${n}`, { principal: '1000000.00' }));
    if (!opened.ok) throw new Error(`no loan was opened: ${opened.refusal.kind}`);
  }

  const answers: Record<string, number> = {};
  const states = new Set<string>();
  const refusedMs: number[] = [];
  const promised = new Set<string>();
  let isOver = false;
  let giveUpAt = Number.POSITIVE_INFINITY;
  let backAt: number | undefined;
  let foundAfterMs = 0;

  const repay = async (idempotencyKey: string) => {
    const loanAccountId = `outage-${promised.size % loanCount}`;
    const request = RecordRepaymentRequest.fromPartial({ loanAccountId, amount: '1.00', idempotencyKey });
    while (performance.now() < giveUpAt) {
      const asked = performance.now();
      const wasOpen = client.breaker === 'open';
      const answer = await client.call(accounting.recordRepayment, request);
      states.add(client.breaker);
      const said = answer.ok ? 'ok' : answer.refusal.kind;
      answers[said] = (answers[said] ?? 0) + 1;
      if (answer.ok) {
        if (backAt !== undefined) foundAfterMs ||= performance.now() - backAt;
        promised.add(idempotencyKey);
        return;
      }
      if (wasOpen) refusedMs.push(performance.now() - asked);
      await sleep(20 + Math.random() * 80);
    }
  };
  const writing = Array.from({ length: writers }, async (_, writer) => {
    for (let n = 0; !isOver; n++) await repay(`outage:${writer}:${n}`);
  });
  await sleep(aroundMs);
  ledger.child.kill('SIGKILL');
  await ledger.exited;
  say(`the ledger is away for ${seconds} s`);
  await sleep(seconds * 1_000);
  ledger = await startLedger(env);
  backAt = performance.now();
  say('the ledger is back');
  await sleep(aroundMs);
  isOver = true;
  giveUpAt = performance.now() + finishWithinMs;
  await Promise.all(writing);

  const posted = await db.query<{ key: string; n: number }>(
    `select key, count(*)::int as n from ledger.transfers where key like 'outage:%' group by 1`,
  );
  const times = new Map(posted.map((row) => [row.key, row.n]));
  const keys = new Set([...promised, ...times.keys()]);
  const wrong = [...keys].filter((one) => !promised.has(one) || times.get(one) !== 1);
  const { broken } = await verifyLedger(db, { checked: () => {} });
  refusedMs.sort((a, b) => a - b);
  return {
    answers,
    states: [...states].toSorted(),
    refusedWithinMs: refusedMs[Math.floor(refusedMs.length / 2)] ?? Number.POSITIVE_INFINITY,
    foundAfterMs,
    promised: promised.size,
    broken: [
      ...wrong.map(
        (one) => `${one}: ${times.get(one) ?? 0} times, ${promised.has(one) ? '' : 'not '}answered`,
      ),
      ...(broken ? [JSON.stringify(broken)] : []),
    ],
  };
}
