// What every log promises the relay, as tests. Each log's own test file says how to open, read, cut and mend it.

import { expect, test } from 'vitest';
import { type EventLog, EventLogFault } from '../../shared/outbox/event-log.ts';
import { firstAppearances, message } from '../../shared/outbox/testing.ts';
import { type Appended, silent } from './testing.ts';

export interface LogUnderTest {
  /** Opens it as it is; with `port`, at a server that never answers. */
  open(port?: number): EventLog;
  read(topic: string): Promise<Appended[]>;
  cut(): Promise<void>;
  mend(): Promise<void>;
}

export function eventLogContract(given: () => LogUnderTest): void {
  let topics = 0;
  const newTopic = () => `contract.${process.pid}.${++topics}`;
  const using = async (log: EventLog, work: (log: EventLog) => Promise<void>) => {
    try {
      await work(log);
    } finally {
      await log.close();
    }
  };

  test('appended messages are there once, in order per key, with their exact payload and event id', async () => {
    const topic = newTopic();
    const sent = Array.from({ length: 60 }, (_, n) => message(`loan-${n % 7}`, n, {}, topic));
    await using(given().open(), async (log) => {
      await log.append(sent.slice(0, 20));
      await log.append(sent.slice(20, 21));
      await log.append(sent.slice(21));
    });
    const found = await given().read(topic);
    const byId = (a: { eventId: string }, b: { eventId: string }) => (a.eventId < b.eventId ? -1 : 1);
    const facts = ({ eventId, key, payload }: Appended | (typeof sent)[number]) => ({
      eventId,
      key,
      payload,
    });
    expect(found.map(facts).sort(byId)).toEqual(sent.map(facts).sort(byId));
    for (const ns of Object.values(firstAppearances(found))) expect(ns).toEqual(ns.toSorted((a, b) => a - b));
  });

  test('text of every alphabet, control characters and exact numbers arrive byte for byte', async () => {
    const topic = newTopic();
    const payload =
      '{"a": "äß 支付 \u{1F4B8} \u2028 \\u0000 \\n\t", "amount": 10.000000000000000001 ,  "b" :[ ]}\n';
    const key = 'loan é \u{1F3E6}';
    await using(given().open(), (log) => log.append([{ ...message('', 1, {}, topic), key, payload }]));
    const [found] = await given().read(topic);
    expect(found?.key).toBe(key);
    expect(Buffer.from(found?.payload ?? '')).toEqual(Buffer.from(payload));
  });

  test('messages of several topics go to their topics', async () => {
    const [one, other] = [newTopic(), newTopic()];
    await using(given().open(), (log) =>
      log.append([message('a', 1, {}, one), message('a', 2, {}, other), message('a', 3, {}, one)]),
    );
    expect(firstAppearances(await given().read(one))).toEqual({ a: [1, 3] });
    expect(firstAppearances(await given().read(other))).toEqual({ a: [2] });
  });

  test('a batch as large as the relay makes them arrives whole', async () => {
    const topic = newTopic();
    const many = Array.from({ length: 2_000 }, (_, n) =>
      message('same-key', n, { filler: 'x'.repeat(60) }, topic),
    );
    const one = message('big', 1, { filler: 'y'.repeat(512 * 1024) }, topic);
    await using(given().open(), async (log) => {
      await log.append(many);
      await log.append([one]);
    });
    const found = await given().read(topic);
    expect(firstAppearances(found)['same-key']).toEqual(many.map((_, n) => n));
    expect(found.find(({ key }) => key === 'big')?.payload).toBe(one.payload);
  });

  test('a log that is away refuses promptly, says so as EventLogFault, and takes messages when it is back', async () => {
    const topic = newTopic();
    const log = given().open();
    await using(log, async () => {
      await log.append([message('a', 1, {}, topic)]);
      await given().cut();
      const before = performance.now();
      await expect(log.append([message('a', 2, {}, topic)])).rejects.toThrow(EventLogFault);
      await expect(log.check()).rejects.toThrow(EventLogFault);
      expect(performance.now() - before).toBeLessThan(8_000);
      await given().mend();
      await expect
        .poll(() => log.check().then(() => 'back', String), { timeout: 20_000, interval: 200 })
        .toBe('back');
      await log.append([message('a', 3, {}, topic)]);
    });
    expect(firstAppearances(await given().read(topic)).a).toEqual([1, 3]);
  }, 60_000);

  test('a log that accepts connections and never answers is given up in bounded time', async () => {
    const { port, close } = await silent();
    try {
      await using(given().open(port), async (log) => {
        const before = performance.now();
        await expect(log.append([message('a', 1)])).rejects.toThrow(EventLogFault);
        await expect(log.check()).rejects.toThrow(EventLogFault);
        expect(performance.now() - before).toBeLessThan(26_000);
      });
    } finally {
      close();
    }
  }, 40_000);

  test('a log that was away from the start is found when it comes', async () => {
    await given().cut();
    await using(given().open(), async (log) => {
      await expect(log.check()).rejects.toThrow(EventLogFault);
      await given().mend();
      await expect
        .poll(() => log.check().then(() => 'there', String), { timeout: 20_000, interval: 200 })
        .toBe('there');
    });
  }, 60_000);

  test('closing twice, or before anything was sent, is no fault', async () => {
    const log = given().open();
    await log.close();
    await log.close();
  });
}
