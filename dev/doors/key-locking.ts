// Upstash runs a script under locks on its own keys when its first line has the flag allow-key-locking, and
// @upstash/ratelimit asks for that. Redis refuses the flag and needs it not: it runs one script at a time. So the flag
// is taken out on the way, and the digest that the caller has of the script keeps working for EVALSHA.

import { hash } from 'node:crypto';
import type { Command } from './redis-link.ts';

const flag = 'allow-key-locking';
const rememberedScripts = 1_000;
/** From the digest of a script as the caller sent it to the digest of what Redis got. */
const digests = new Map<string, string>();

/** The command as Redis understands it. SCRIPT LOAD then answers with the digest of what Redis got; both work. */
export function withoutKeyLocking(command: Command): Command {
  const [name, second] = command.slice(0, 2).map((word) => String(word).toUpperCase());
  if (name === 'EVAL' || name === 'EVAL_RO') return replaced(command, 1, withoutFlag);
  if (name === 'EVALSHA' || name === 'EVALSHA_RO') return replaced(command, 1, digestInRedis);
  if (name === 'SCRIPT' && second === 'LOAD') return replaced(command, 2, withoutFlag);
  return command;
}

function replaced(command: Command, at: number, replace: (word: string) => string): Command {
  const word = command[at];
  return typeof word === 'string' ? command.with(at, replace(word)) : command;
}

const digestInRedis = (digest: string) => digests.get(digest.toLowerCase()) ?? digest;

function withoutFlag(script: string): string {
  const firstLine = /^#!lua.*/.exec(script)?.[0];
  if (!firstLine?.includes(flag)) return script;
  const flags = (firstLine.split('flags=')[1] ?? '').split(',').filter((found) => found.trim() !== flag);
  // Without flags the line stays, but empty: Redis 6 knows none, and the script's line numbers stay right.
  const rewritten =
    (flags.length > 0 ? `#!lua flags=${flags.join(',')}` : '') + script.slice(firstLine.length);
  if (digests.size >= rememberedScripts) digests.delete(digests.keys().next().value!);
  digests.set(hash('sha1', script), hash('sha1', rewritten));
  return rewritten;
}
