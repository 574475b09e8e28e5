import { createClient } from 'redis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestRedis } from '../../test/database.ts';
import { eventLogContract } from './event-log.contract.ts';
import { openRedisLog } from './redis-log.ts';
import { type Cuttable, cuttable, message, readStream } from './testing.ts';

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

test('a batch that Redis refuses leaves nothing behind', async () => {
  const client = createClient({ url });
  await client.connect();
  const log = open();
  try {
    await client.configSet('maxmemory', '1');
    await expect(log.append([message('a', 1, {}, 'full'), message('a', 2, {}, 'full')])).rejects.toThrow(
      'Redis did not confirm the messages',
    );
    await client.configSet('maxmemory', '0');
    await log.append([message('a', 3, {}, 'full')]);
    expect(await client.xLen('full')).toBe(1);
  } finally {
    await client.configSet('maxmemory', '0');
    await log.close();
    client.destroy();
  }
});
