// The setting ARCHIVE_MASTER_KEYS: `<name>:<base64 of 32 bytes>`, with commas between several.

import * as z from 'zod/mini';
import { text } from '../../shared/settings.ts';
import type { MasterKey } from './vault.ts';

const keyFormat = /^([\w.-]{1,50}):([A-Za-z0-9+/]{43}=)$/;

/** In the order given: the first wraps new keys, all of them unwrap. A fault never quotes what was given. */
export const masterKeys = () =>
  z.pipe(
    text('keys for what names people in the archive, <name>:<base64 of 32 bytes>,...'),
    z.transform((list, context): readonly [MasterKey, ...MasterKey[]] => {
      const keys = list.split(',').map((one) => keyFormat.exec(one.trim()));
      const named = new Set(keys.map((key) => key?.[1]));
      const fault = keys.includes(null)
        ? 'expected <name>:<base64 of 32 bytes>, with commas between several'
        : named.size < keys.length && 'two of them have the same name';
      if (fault) {
        context.issues.push({ code: 'custom', input: undefined, message: fault });
        return z.NEVER;
      }
      return keys.map((key) => ({
        name: key?.[1] as string,
        key: new Uint8Array(Buffer.from(key?.[2] as string, 'base64')),
      })) as unknown as [MasterKey, ...MasterKey[]];
    }),
  );
