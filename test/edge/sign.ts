// Signs as a sender would, with node:crypto and nothing of ours: what the Workers verify with cannot agree with
// itself by mistake.

import { createHmac, randomUUID } from 'node:crypto';

export type Scheme =
  | { scheme: 'standard' }
  | {
      scheme: 'hmac';
      header: string;
      algorithm: string;
      encoding: 'hex' | 'base64';
      prefix: string;
      timestampHeader?: string;
    };

export interface Signing {
  secret: string;
  /** Unix seconds. */
  at?: number;
  /** Several at once, as a sender does that rotates; `standard` only. */
  alsoWith?: string;
}

export const nowSeconds = (): number => Math.floor(Date.now() / 1000);

export function signedHeaders(scheme: Scheme, body: Buffer, signing: Signing): Record<string, string> {
  const timestamp = String(signing.at ?? nowSeconds());
  if (scheme.scheme === 'standard') {
    const id = `msg_${randomUUID()}`;
    const signature = (secret: string) => {
      const key = Buffer.from(secret.replace('whsec_', ''), 'base64');
      return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64')}`;
    };
    const secrets = [signing.alsoWith, signing.secret].filter((secret) => secret !== undefined);
    return {
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': secrets.map(signature).join(' '),
    };
  }
  const hmac = createHmac(scheme.algorithm, signing.secret);
  if (scheme.timestampHeader) hmac.update(`${timestamp}.`);
  return {
    [scheme.header]: `${scheme.prefix}${hmac.update(body).digest(scheme.encoding)}`,
    ...(scheme.timestampHeader ? { [scheme.timestampHeader]: timestamp } : {}),
  };
}
