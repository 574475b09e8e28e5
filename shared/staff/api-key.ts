// An API key is `rk_<prefix>_<secret>`: the prefix names it in lists and logs, the secret has 256 random bits, and
// only the SHA-256 of the whole is kept. With that many bits a slow hash would add nothing but time.

import { sha256 } from '../id.ts';

const pattern = /^rk_[0-9a-z]{12}_[0-9A-Za-z]{43}$/;
const alphabet = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** Characters drawn evenly from the first `radix` of the alphabet. */
function randomText(length: number, radix: number): string {
  const evenLimit = 256 - (256 % radix);
  let text = '';
  while (text.length < length) {
    for (const byte of crypto.getRandomValues(new Uint8Array(length))) {
      if (byte < evenLimit && text.length < length) text += alphabet[byte % radix];
    }
  }
  return text;
}

/** A new key: `token` is shown once, to its owner. */
export async function generateApiKey(): Promise<{ token: string; prefix: string; hash: string }> {
  const prefix = randomText(12, 36);
  const token = `rk_${prefix}_${randomText(43, 62)}`;
  return { token, prefix, hash: await sha256(token) };
}

/** The hash to look a presented key up by; undefined when it has not the form of one. */
export const apiKeyHash = async (token: string): Promise<string | undefined> =>
  pattern.test(token) ? sha256(token) : undefined;

/** The token of an `Authorization: Bearer` header. */
export const bearerToken = (header: string | undefined): string | undefined =>
  /^Bearer (\S+)$/i.exec(header ?? '')?.[1];
