// The doors' settings, from the environment of a door that runs as a process of its own.

import * as z from 'zod/mini';
import { parseSettings, redisUrl, requiredPort, text } from '../../shared/settings.ts';

/** Required, and never 0: other processes must know where the door is. */
const port = requiredPort();
/** Loopback unless told otherwise, as in a container. */
const host = z.optional(z.string());

const neon = z.object({ NEON_DOOR_PORT: port, NEON_DOOR_HOST: host });

const upstash = z.object({
  UPSTASH_DOOR_PORT: port,
  UPSTASH_DOOR_HOST: host,
  UPSTASH_DOOR_TOKEN: text('the token that callers send'),
  REDIS_URL: redisUrl('Redis'),
});

export function readNeonDoorSettings(env: NodeJS.ProcessEnv) {
  const given = parseSettings('neon door', neon, env);
  return { port: given.NEON_DOOR_PORT, host: given.NEON_DOOR_HOST };
}

export function readUpstashDoorSettings(env: NodeJS.ProcessEnv) {
  const given = parseSettings('upstash door', upstash, env);
  return {
    port: given.UPSTASH_DOOR_PORT,
    host: given.UPSTASH_DOOR_HOST,
    token: given.UPSTASH_DOOR_TOKEN,
    redisUrl: given.REDIS_URL,
  };
}
