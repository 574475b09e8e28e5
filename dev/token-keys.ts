// `npm run -s token-keys`: prints a new set for TOKEN_KEYS. With `--rotate` the new key is put in front of those of
// TOKEN_KEYS in the environment, which go on to verify what they have signed.

import { parseArgs } from 'node:util';
import * as z from 'zod/mini';
import { newTokenKeys, tokenKeysSetting } from '../workers/auth/token-keys.ts';

try {
  const { values } = parseArgs({ options: { rotate: { type: 'boolean', default: false } } });
  const before = values.rotate ? process.env.TOKEN_KEYS : undefined;
  if (values.rotate && !z.safeParse(tokenKeysSetting, before).success) {
    throw new Error('--rotate needs TOKEN_KEYS in the environment, as this command printed it before');
  }
  const keys = await newTokenKeys(before);
  if (!z.safeParse(tokenKeysSetting, keys).success) {
    throw new Error('ten keys are as many as there may be: take the oldest ones, the last, out first');
  }
  console.log(keys);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
