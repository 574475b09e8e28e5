import { expect, test, vi } from 'vitest';
import { DatabaseFault, type TransactionalDatabase } from '../../shared/database.ts';
import { type EventLog, EventLogFault } from '../../shared/outbox/event-log.ts';
import { publishing } from './publish.ts';

/** An outbox that is empty, or cannot be asked. */
function emptyOutbox(state: { away?: boolean } = {}): TransactionalDatabase {
  const ask = async () => {
    if (state.away) throw new DatabaseFault('away', { cause: undefined });
    return [];
  };
  return { query: ask, arrays: ask, transaction: () => Promise.reject(new Error('nothing to send')) };
}

const queue = { oldestSeconds: 0, undeliverable: 0 };

function setUp(checkEveryMs: number) {
  const outbox = { away: false };
  const log = { away: false, checks: 0 };
  const eventLog: EventLog = {
    append: async () => {},
    check: async () => {
      log.checks += 1;
      if (log.away) throw new EventLogFault('away');
    },
    close: async () => {},
  };
  const db = emptyOutbox(outbox);
  const publisher = publishing({
    db,
    log: eventLog,
    logKind: 'redis',
    batchSize: 10,
    idleMs: 50,
    checkEveryMs,
    onUndeliverable: () => {},
  });
  const healthy = () => publisher.heartbeat({ condition: 'running', failures: 0 }, queue).healthy;
  return { outbox, log, publisher, healthy };
}

test('with nothing to publish the log is asked first, and then again when it has shown nothing for a while', async () => {
  const { log, publisher } = setUp(60_000);
  await publisher.step();
  await publisher.step();
  expect(log.checks).toBe(1);
  const eager = setUp(0);
  await eager.publisher.step();
  await eager.publisher.step();
  expect(eager.log.checks).toBe(2);
});

test('a publisher is healthy only once its log has answered, and not while the log is away', async () => {
  const { log, publisher, healthy } = setUp(0);
  expect(healthy()).toBe(false);
  await publisher.step();
  expect(healthy()).toBe(true);
  log.away = true;
  await expect(publisher.step()).rejects.toThrow(EventLogFault);
  expect(healthy()).toBe(false);
  log.away = false;
  await publisher.step();
  expect(healthy()).toBe(true);
});

test('a database that is away says nothing about the log', async () => {
  const { outbox, publisher } = setUp(0);
  await publisher.step();
  outbox.away = true;
  await expect(publisher.step()).rejects.toThrow(DatabaseFault);
  const { healthy, detail } = publisher.heartbeat({ condition: 'failing', failures: 1 }, queue);
  expect(healthy).toBe(false);
  expect(detail.log_ok).toBe(true);
});

test.each(['failing', 'stuck'] as const)('a publisher that is %s is not healthy', async (condition) => {
  const { publisher } = setUp(0);
  await publisher.step();
  expect(publisher.heartbeat({ condition, failures: 0 }, queue).healthy).toBe(false);
});

test('a publisher with undeliverable messages is not healthy', async () => {
  const { publisher } = setUp(0);
  await publisher.step();
  const state = { condition: 'running', failures: 0 } as const;
  expect(publisher.heartbeat(state, queue).healthy).toBe(true);
  expect(publisher.heartbeat(state, { ...queue, undeliverable: 1 }).healthy).toBe(false);
});

test('it looks again at once while a batch is waiting, soon while there is traffic, and less and less when idle', () => {
  const clock = vi.spyOn(performance, 'now').mockReturnValue(1_000);
  try {
    const { pauseMs } = setUp(0).publisher;
    const quietFor = (ms: number) => {
      clock.mockReturnValue(1_000 + ms);
      return pauseMs(0);
    };
    expect(pauseMs(10)).toBe(0);
    expect(pauseMs(9)).toBe(5);
    expect([0, 20, 40, 100, 200, 10_000].map(quietFor)).toEqual([5, 5, 10, 25, 50, 50]);
    expect(pauseMs(1)).toBe(5);
    expect(pauseMs(0)).toBe(5);
  } finally {
    clock.mockRestore();
  }
});

test('batches that were taken to the log are counted, and among them those that it did not confirm', async () => {
  const row = { position: '1', topic: 't', key: 'k', event_id: 'e', payload: '{}', bytes: 2, locked: true };
  const answers = async () => [row];
  const tx = { query: answers, arrays: answers } as unknown as TransactionalDatabase;
  const db: TransactionalDatabase = { ...tx, transaction: (work) => work(tx) };
  const log = { away: true };
  const eventLog: EventLog = {
    append: async () => {
      if (log.away) throw new EventLogFault('away');
    },
    check: async () => {},
    close: async () => {},
  };
  const publisher = publishing({
    db,
    log: eventLog,
    logKind: 'kafka',
    batchSize: 10,
    idleMs: 50,
    checkEveryMs: 0,
    onUndeliverable: () => {},
  });
  await expect(publisher.step()).rejects.toThrow(EventLogFault);
  log.away = false;
  await publisher.step();
  const { detail } = publisher.heartbeat({ condition: 'running', failures: 0 }, queue);
  expect(detail).toMatchObject({ publish_attempts_total: 2, publish_failures_total: 1 });
});
