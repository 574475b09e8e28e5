// The unmodified SDKs against the Upstash door and a real Redis: what they promise in production holds here.

import { createHash, randomUUID } from 'node:crypto';
import { Ratelimit } from '@upstash/ratelimit';
import { Redis } from '@upstash/redis';
import { createClient } from 'redis';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { Door } from './door.ts';
import { openTcpGate } from './tcp-gate.ts';
import { openUpstashDoor } from './upstash.ts';

const token = randomUUID();
const prefix = `upstash-door:${randomUUID()}:`;
const key = (name: string) => `${prefix}${name}`;
const seconds = (n: number) => ({ timeout: n * 1000 });
const server = createClient({ url: inject('redisUrl') });
let door: Door;
let redis: Redis;

beforeAll(async () => {
  await server.connect();
  door = await openUpstashDoor({ port: 0, redisUrl: inject('redisUrl'), token });
  redis = new Redis({ url: door.url, token, automaticDeserialization: false, retry: false });
});

afterAll(async () => {
  await door.close();
  const left = await server.keys(`${prefix}*`);
  if (left.length > 0) await server.del(left);
  await server.close();
});

const post = (path: string, body: string, headers: Record<string, string> = {}) =>
  fetch(`${door.url}${path}`, {
    method: 'POST',
    body,
    headers: { authorization: `Bearer ${token}`, ...headers },
  });

test('strings come back as they were, whatever they hold', async () => {
  const texts = [
    'plain',
    '',
    'OK',
    'T0s=',
    'null',
    '123',
    '{"a": 1}',
    'Ünïcode ☃ 😀',
    'a\r\nb\0c',
    'it\'s "quoted"',
  ];
  for (const text of texts) {
    expect(await redis.set(key('text'), text)).toBe('OK');
    expect(await redis.get(key('text'))).toBe(text);
  }
  expect(await redis.mget(texts.map(() => key('text')))).toEqual(texts.map(() => texts.at(-1)));
  expect(await redis.lpush(key('list'), ...texts)).toBe(texts.length);
  expect(await redis.lrange(key('list'), 0, -1)).toEqual(texts.toReversed());
});

test('bytes that are no text reach the SDK undamaged', async () => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  await server.set(key('bytes'), bytes);
  const answer = await post('/', JSON.stringify(['GET', key('bytes')]), { 'upstash-encoding': 'base64' });
  expect(await answer.json()).toEqual({ result: bytes.toString('base64') });
});

test('integers are numbers and keep all their digits', async () => {
  expect(await redis.incrby(key('n'), 41)).toBe(41);
  expect(await redis.incr(key('n'))).toBe(42);
  await redis.set(key('big'), '9007199254740992');
  const answer = await post('/', JSON.stringify(['INCR', key('big')]));
  expect(await answer.text()).toBe('{"result":9007199254740993}');
  expect(await redis.get(key('big'))).toBe('9007199254740993');
  await redis.hset(key('ids'), { account: '12345678901234567890' });
  expect(await redis.hget(key('ids'), 'account')).toBe('12345678901234567890');
});

test('nothing is null, in lists too', async () => {
  expect(await redis.get(key('absent'))).toBeNull();
  await redis.set(key('present'), 'x');
  expect(await redis.mget(key('absent'), key('present'))).toEqual([null, 'x']);
  expect(await redis.set(key('present'), 'y', { nx: true })).toBeNull();
  expect(await redis.zscore(key('absent'), 'x')).toBeNull();
});

test('nested replies such as a stream keep their shape', async () => {
  const id = await redis.xadd(key('stream'), '*', {
    type: 'payment.recorded',
    amount: '10.000000000000000001',
  });
  const fields = ['type', 'payment.recorded', 'amount', '10.000000000000000001'];
  expect(await redis.xrange(key('stream'), '-', '+')).toEqual([[id, fields]]);
  expect(await redis.eval("return {1, 'a', {2, 'OK', false, {'deep'}}}", [], [])).toEqual([
    1,
    'a',
    [2, 'OK', null, ['deep']],
  ]);
});

test('with automatic deserialization objects make the round trip', async () => {
  const usual = new Redis({ url: door.url, token });
  const value = { name: 'Zoë', nested: [1, null, { ok: true }] };
  await usual.set(key('object'), value);
  expect(await usual.get(key('object'))).toEqual(value);
});

test('a pipeline answers each command, errors in their place', async () => {
  const results = await redis
    .pipeline()
    .set(key('p'), 'text')
    .lpush(key('p'), 'wrong type')
    .get(key('p'))
    .exec({ keepErrors: true });
  expect(results).toEqual([
    { result: 'OK', error: undefined },
    { result: undefined, error: expect.stringContaining('WRONGTYPE') },
    { result: 'text', error: undefined },
  ]);
  const throwing = redis.pipeline().set(key('p'), 'x').lpush(key('p'), 'y').exec();
  await expect(throwing).rejects.toThrow('Command 2 [ lpush ] failed: WRONGTYPE');
});

test('a command that is refused does not stop its pipeline', async () => {
  const answer = await post(
    '/pipeline',
    JSON.stringify([
      ['SET', key('q'), 1],
      ['BLPOP', 'x', 0],
      ['GET', key('q')],
    ]),
  );
  expect(answer.status).toBe(200);
  expect(await answer.json()).toEqual([
    { result: 'OK' },
    { error: expect.stringContaining('BLPOP is not available over REST') },
    { result: '1' },
  ]);
});

test('commands of one tick travel together and are told apart', async () => {
  const written = await Promise.all(
    Array.from({ length: 50 }, (_, i) => redis.set(key(`auto:${i}`), `v${i}`)),
  );
  expect(written).toEqual(new Array(50).fill('OK'));
  const read = await Promise.all(Array.from({ length: 50 }, (_, i) => redis.get(key(`auto:${i}`))));
  expect(read).toEqual(Array.from({ length: 50 }, (_, i) => `v${i}`));
});

test('a transaction answers like a pipeline, and one that cannot be queued does nothing', async () => {
  const results = await redis
    .multi()
    .set(key('m'), '1')
    .incr(key('m'))
    .lpush(key('m'), 'x')
    .get(key('m'))
    .exec({ keepErrors: true });
  expect(results).toMatchObject([
    { result: 'OK' },
    { result: 2 },
    { error: expect.stringContaining('WRONGTYPE') },
    { result: '2' },
  ]);
  const unknown = await post('/multi-exec', JSON.stringify([['SET', key('m'), 'changed'], ['NOSUCH']]));
  expect([unknown.status, await unknown.json()]).toEqual([
    400,
    { error: expect.stringContaining('EXECABORT') },
  ]);
  const refused = await post(
    '/multi-exec',
    JSON.stringify([
      ['SET', key('m'), 'changed'],
      ['WATCH', 'x'],
    ]),
  );
  expect([refused.status, await refused.json()]).toEqual([400, { error: expect.stringContaining('WATCH') }]);
  expect(await redis.get(key('m'))).toBe('2');
});

test('two hundred transactions and single commands at once never mix', async () => {
  const separate = new Redis({ url: door.url, token, enableAutoPipelining: false });
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, i) =>
      i % 2
        ? separate.multi().set(key('shared'), i).get(key('shared')).exec()
        : separate.echo(`alone ${i}`).then((echoed) => ['OK', echoed]),
    ),
  );
  expect(answers).toEqual(Array.from({ length: 200 }, (_, i) => ['OK', i % 2 ? i : `alone ${i}`]));
});

test('a script unknown to Redis says NOSCRIPT, so that the caller can send it whole', async () => {
  const script = `return {KEYS[1], ARGV[1], '${randomUUID()}'}`;
  await expect(redis.evalsha('0'.repeat(40), [], [])).rejects.toThrow('NOSCRIPT');
  const sha = await redis.scriptLoad(script);
  expect(await redis.evalsha(sha, ['k'], ['v'])).toEqual(['k', 'v', expect.any(String)]);
  expect(await redis.createScript(`return '${randomUUID()}'`).exec([], [])).toEqual(expect.any(String));
});

test('a script may ask for locks on its keys, which Redis has no need of', async () => {
  const script = `#!lua flags=no-writes, allow-key-locking\n-- ${randomUUID()}\nreturn redis.call('GET', KEYS[1])`;
  const digest = createHash('sha1').update(script).digest('hex');
  await server.set(key('locked'), 'seen');
  await expect(redis.evalsha(digest, [key('locked')], [])).rejects.toThrow('NOSCRIPT');
  expect(await redis.eval(script, [key('locked')], [])).toBe('seen');
  expect(await redis.evalsha(digest, [key('locked')], [])).toBe('seen');
  const loaded = await redis.scriptLoad(`#!lua flags=allow-key-locking\nreturn '${randomUUID()}'`);
  expect(await redis.evalsha(loaded, [], [])).toEqual(expect.any(String));
  const writing = script.replace("'GET', KEYS[1]", "'SET', KEYS[1], 'x'");
  await expect(redis.eval(writing, [key('locked')], [])).rejects.toThrow(/read-only/);
});

test('the rate limiter counts and refuses', async () => {
  const limiter = new Ratelimit({
    redis: new Redis({ url: door.url, token }),
    limiter: Ratelimit.fixedWindow(3, '1 h'),
    prefix: key('limit'),
    ephemeralCache: false,
    timeout: 0,
  });
  const outcomes = [];
  for (let i = 0; i < 5; i++) outcomes.push(await limiter.limit('somebody'));
  expect(outcomes.map(({ success, remaining }) => [success, remaining])).toEqual([
    [true, 2],
    [true, 1],
    [true, 0],
    [false, 0],
    [false, 0],
  ]);
  expect((await limiter.limit('somebody else')).success).toBe(true);
});

test("an error of Redis is the SDK's error, with its command", async () => {
  await redis.set(key('s'), 'text');
  await expect(redis.lpush(key('s'), 'x')).rejects.toThrow('WRONGTYPE');
  const answer = await post('/', '["GET"]');
  expect([answer.status, await answer.json()]).toEqual([
    400,
    { error: "ERR wrong number of arguments for 'get' command" },
  ]);
});

test('a wrong or missing token is refused', async () => {
  const stranger = new Redis({ url: door.url, token: 'guess', retry: false });
  await expect(stranger.get('x')).rejects.toThrow('WRONGPASS');
  const missing = await fetch(door.url, { method: 'POST', body: '["PING"]' });
  expect([missing.status, await missing.json()]).toEqual([
    401,
    { error: expect.stringContaining('WRONGPASS') },
  ]);
});

test('a command may be in the path', async () => {
  const get = (path: string) =>
    fetch(`${door.url}${path}`, { headers: { authorization: `Bearer ${token}` } }).then((r) => r.json());
  const name = encodeURIComponent(key('a/b'));
  expect(await get(`/set/${name}/h%C3%A9llo?EX=100`)).toEqual({ result: 'OK' });
  expect(await get(`/get/${name}`)).toEqual({ result: 'héllo' });
  expect(await get(`/ttl/${name}`)).toEqual({ result: expect.any(Number) });
  await post(`/set/${name}?EX=100`, 'from a body');
  expect(await server.get(key('a/b'))).toBe('from a body');
  expect(await get('/get/%ff')).toEqual({ error: expect.stringContaining('percent-encoded') });
});

test('what would block, listen or change the shared connection is refused with a reason', async () => {
  const commands = [
    ['BLPOP', 'x', '0'],
    ['subscribe', 'x'],
    ['SELECT', '1'],
    ['MULTI'],
    ['XREAD', 'BLOCK', '0', 'STREAMS', 'x', '$'],
    ['XREADGROUP', 'GROUP', 'g', 'c', 'block', '0', 'STREAMS', 'x', '>'],
  ];
  for (const command of commands) {
    const answer = await post('/', JSON.stringify(command));
    expect([answer.status, await answer.json()]).toEqual([
      400,
      { error: expect.stringContaining('one connection') },
    ]);
  }
  expect(await (await post('/', '["XREAD", "STREAMS", "block", "0"]')).json()).toEqual({ result: null });
});

test('requests that make no sense are refused with a reason', async () => {
  const refusals: [string, string, RegExp][] = [
    ['/', '{', /not JSON/],
    ['/', '', /not JSON/],
    ['/', '{}', /must be a list/],
    ['/', '[]', /must be a list/],
    ['/', '["SET", "x", null]', /texts, numbers or booleans/],
    ['/pipeline', '[]', /list of commands/],
    ['/pipeline', '["SET", "x", "y"]', /must be a list/],
    ['/multi-exec', '{"a": 1}', /list of commands/],
  ];
  for (const [path, body, reason] of refusals) {
    const answer = await post(path, body);
    expect([path, body, answer.status]).toEqual([path, body, 400]);
    expect(await answer.json()).toEqual({ error: expect.stringMatching(reason) });
  }
});

test('a Redis that goes away is told at once, and found again when it is back', seconds(60), async () => {
  const { hostname, port } = new URL(inject('redisUrl'));
  const gate = await openTcpGate({ host: hostname, port: Number(port) });
  const redisUrl = Object.assign(new URL(inject('redisUrl')), {
    hostname: '127.0.0.1',
    port: gate.port,
  }).href;
  const own = await openUpstashDoor({ port: 0, redisUrl, token, callMs: 400 });
  const sdk = new Redis({ url: own.url, token, retry: false });
  const answersAgain = () => expect.poll(() => sdk.ping().catch(String), seconds(15)).toBe('PONG');
  try {
    await answersAgain();
    await gate.goAway();
    await expect
      .poll(() => sdk.ping().catch(String), seconds(5))
      .toMatch(/Redis is away: .*(ECONNREFUSED|closed)/);
    const startedAt = performance.now();
    await expect(sdk.set(key('away'), 'x')).rejects.toThrow('Redis is away');
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    await gate.comeBack();
    await answersAgain();

    gate.fallSilent();
    const silent = Array.from({ length: 20 }, () => sdk.echo('nobody'));
    await expect(Promise.any(silent)).rejects.toThrow();
    await expect(sdk.ping()).rejects.toThrow(/Redis is away: it stayed silent/);
    await gate.comeBack();
    await answersAgain();
  } finally {
    await own.close();
    await gate.goAway();
  }
});

test('a door opens before its Redis does', seconds(20), async () => {
  const gate = await openTcpGate({ host: '127.0.0.1', port: Number(new URL(inject('redisUrl')).port) });
  await gate.goAway();
  const redisUrl = Object.assign(new URL(inject('redisUrl')), {
    hostname: '127.0.0.1',
    port: gate.port,
  }).href;
  const own = await openUpstashDoor({ port: 0, redisUrl, token });
  const sdk = new Redis({ url: own.url, token, retry: false });
  try {
    await expect(sdk.ping()).rejects.toThrow(/Redis is away: .*ECONNREFUSED/);
    await gate.comeBack();
    await expect.poll(() => sdk.ping().catch(String), seconds(5)).toBe('PONG');
  } finally {
    await own.close();
    await gate.goAway();
  }
});
