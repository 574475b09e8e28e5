import { createClient } from 'redis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { firstAppearances, message } from '../../shared/outbox/testing.ts';
import { createTestRedis } from '../../test/database.ts';
import { eventLogContract } from './event-log.contract.ts';
import { openRedisLog } from './redis-log.ts';
import { type Cuttable, cuttable, readStream } from './testing.ts';

let url: string;
let door: Cuttable;

beforeAll(async () => {
  ({ url } = await createTestRedis());
  door = await cuttable(Number(new URL(url).port));
});
afterAll(() => door.cut());

const at = (port: number) => Object.assign(new URL(url), { port: String(port) }).href;
const open = (port = door.port, streamMaxLength = 1_000_000) =>
  openRedisLog({ kind: 'redis', url: at(port), streamMaxLength });

eventLogContract(() => ({
  open,
  read: (topic) => readStream(url, topic),
  cut: () => door.cut(),
  mend: () => door.mend(),
}));

test('the stream is trimmed to about its bound', async () => {
  const log = open(door.port, 1_000);
  const many = Array.from({ length: 1_000 }, (_, n) => message('a', n, {}, 'trimmed'));
  for (let round = 0; round < 3; round++) await log.append(many);
  await log.close();
  const kept = (await readStream(url, 'trimmed')).length;
  expect(kept).toBeGreaterThanOrEqual(1_000);
  expect(kept).toBeLessThan(1_300);
});

test('a batch that Redis refuses in part leaves nothing behind', async () => {
  const client = createClient({ url });
  await client.connect();
  const username = `only-allowed-${process.pid}`;
  try {
    await client.sendCommand(['ACL', 'SETUSER', username, 'on', '>secret', '~allowed', '+@all']);
    const limited = Object.assign(new URL(url), { username, password: 'secret' }).href;
    const log = openRedisLog({ kind: 'redis', url: limited, streamMaxLength: 1_000 });
    const batch = [message('a', 1, {}, 'allowed'), message('a', 2, {}, 'forbidden')];
    await expect(log.append(batch)).rejects.toThrow('Redis did not confirm the messages: NOPERM');
    await log.append([message('a', 3, {}, 'allowed')]);
    await log.close();
    expect(firstAppearances(await readStream(url, 'allowed'))).toEqual({ a: [3] });
  } finally {
    await client.sendCommand(['ACL', 'DELUSER', username]);
    client.destroy();
  }
});

test('a batch that Redis refuses while it carries it out is a fault that says why', async () => {
  const client = createClient({ url });
  await client.connect();
  await client.set('no-stream', 'text');
  client.destroy();
  const log = open();
  await expect(log.append([message('a', 1, {}, 'no-stream')])).rejects.toThrow(
    /^Redis did not confirm the messages: WRONGTYPE$/,
  );
  await log.close();
});
