// Upstash's REST door in front of a real Redis: what @upstash/redis sends to /, /pipeline and /multi-exec, and a
// command in the path. Redis' errors are 400, a wrong token 401, an absent Redis 503. All callers share a connection,
// so what blocks it, listens on it or changes it is refused: BLPOP, SUBSCRIBE, SELECT, WATCH and their like.

import { hash, timingSafeEqual } from 'node:crypto';
import { type Answer, type Call, type Door, type DoorOptions, openDoor, Refusal } from './door.ts';
import { readUpstashDoorSettings } from './env.ts';
import { withoutKeyLocking } from './key-locking.ts';
import { type Command, RedisLink } from './redis-link.ts';
import { runDoor } from './run-door.ts';
import { type Reply, type StringEncoding, wrapReply } from './upstash-reply.ts';

export interface UpstashDoorOptions extends DoorOptions {
  redisUrl: string;
  token: string;
}

export async function openUpstashDoor(options: UpstashDoorOptions): Promise<Door> {
  const link = await RedisLink.open(options.redisUrl);
  const expected = hash('sha256', `Bearer ${options.token}`, 'buffer');
  return openDoor(options, {
    defaultCallMs: 5_000,
    answer: async (call) => {
      const given = hash('sha256', call.request.headers.authorization ?? '', 'buffer');
      if (!timingSafeEqual(given, expected)) return refuse(401, 'WRONGPASS invalid or missing auth token');
      return answer(call, link);
    },
    refuse,
    close: async () => link.close(),
  });
}

async function answer(call: Call, link: RedisLink): Promise<Answer> {
  const encoding = call.request.headers['upstash-encoding'] === 'base64' ? 'base64' : 'utf8';
  switch (call.request.url) {
    case '/':
      return one(call, link, readCommand(parse(call.body)), encoding);
    case '/pipeline':
      return pipeline(call, link, readCommands(call.body), encoding);
    case '/multi-exec':
      return transaction(call, link, readCommands(call.body), encoding);
    default:
      return one(call, link, readPath(call), encoding);
  }
}

async function one(call: Call, link: RedisLink, command: Command, encoding: StringEncoding): Promise<Answer> {
  const refusal = refusalOf(command);
  if (refusal) throw new Refusal(400, refusal);
  const [reply] = await link.send(call, [command]);
  return json(reply instanceof Error ? 400 : 200, wrapReply(reply!, encoding));
}

/** Every command gets an answer of its own; one that fails or is refused does not stop the others. */
async function pipeline(
  call: Call,
  link: RedisLink,
  commands: Command[],
  encoding: StringEncoding,
): Promise<Answer> {
  const refusals = commands.map(refusalOf);
  const replies = await link.send(
    call,
    commands.filter((_, i) => !refusals[i]),
  );
  const answers = refusals.map((refusal) => (refusal ? new Error(refusal) : replies.shift()!));
  return json(200, wrapAll(answers, encoding));
}

/** All or none: a command that Redis will not even queue makes the whole transaction an error. */
async function transaction(
  call: Call,
  link: RedisLink,
  commands: Command[],
  encoding: StringEncoding,
): Promise<Answer> {
  const refusal = commands.map(refusalOf).find((found) => found !== undefined);
  if (refusal) throw new Refusal(400, refusal);
  const executed = (await link.send(call, [['MULTI'], ...commands, ['EXEC']])).at(-1);
  if (executed instanceof Error) throw new Refusal(400, executed.message);
  return json(200, wrapAll(executed as Reply[], encoding));
}

const wrapAll = (replies: Reply[], encoding: StringEncoding) =>
  `[${replies.map((reply) => wrapReply(reply, encoding)).join(',')}]`;

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    throw new Refusal(400, 'ERR the body is not JSON');
  }
}

function readCommands(body: Buffer): Command[] {
  const commands = parse(body);
  if (!Array.isArray(commands) || commands.length === 0) {
    throw new Refusal(400, 'ERR the body must be a list of commands: [["SET", "key", "value"], ...]');
  }
  return commands.map(readCommand);
}

function readCommand(value: unknown): Command {
  if (!Array.isArray(value) || value.length === 0) {
    throw new Refusal(400, 'ERR a command must be a list: ["SET", "key", "value"]');
  }
  const command = value.map((argument) => {
    if (typeof argument === 'string') return argument;
    if (typeof argument === 'number' || typeof argument === 'boolean') return String(argument);
    throw new Refusal(400, "ERR a command's arguments must be texts, numbers or booleans");
  });
  return withoutKeyLocking(command);
}

/** /set/key/value?EX=100; a body is the last argument before those of the query. */
function readPath(call: Call): Command {
  try {
    const { pathname, searchParams } = new URL(`http://door${call.request.url}`);
    const words: Command = pathname.slice(1).split('/').map(decodeURIComponent);
    if (call.body.length > 0) words.push(call.body);
    return words.concat([...searchParams].flat().filter((word) => word !== ''));
  } catch {
    throw new Refusal(400, 'ERR the path is not percent-encoded');
  }
}

const blocking = 'BLPOP BRPOP BRPOPLPUSH BLMOVE BLMPOP BZPOPMIN BZPOPMAX BZMPOP WAIT WAITAOF';
const listening = 'SUBSCRIBE PSUBSCRIBE SSUBSCRIBE UNSUBSCRIBE PUNSUBSCRIBE SUNSUBSCRIBE MONITOR SYNC PSYNC';
const changing = 'AUTH HELLO SELECT QUIT RESET MULTI EXEC DISCARD WATCH UNWATCH CLIENT';
const unavailable = new Set([blocking, listening, changing].join(' ').split(' '));

function refusalOf(command: Command): string | undefined {
  const name = String(command[0]).toUpperCase();
  if (unavailable.has(name)) return `ERR ${name} is not available over REST: callers share one connection`;
  if ((name === 'XREAD' || name === 'XREADGROUP') && blocks(command)) {
    return `ERR ${name} is not available over REST with BLOCK: callers share one connection`;
  }
  return undefined;
}

/** BLOCK is an option only before STREAMS; behind it, it is a key. */
function blocks(command: Command): boolean {
  const words = command.map((word) => String(word).toUpperCase());
  const at = words.indexOf('BLOCK');
  return at !== -1 && at < words.indexOf('STREAMS');
}

const refuse = (status: number, message: string): Answer => json(status, JSON.stringify({ error: message }));

const json = (status: number, body: string): Answer => ({ status, contentType: 'application/json', body });

if (import.meta.main)
  await runDoor('upstash door', () => openUpstashDoor(readUpstashDoorSettings(process.env)));
