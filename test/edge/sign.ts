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
    }
  | { scheme: 'stripe' }
  | { scheme: 'gocardless' }
  /** Signs its items, not its body. */
  | { scheme: 'adyen' };

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
  const ofBody = createHmac('sha256', signing.secret);
  if (scheme.scheme === 'stripe') {
    const signature = ofBody.update(`${timestamp}.`).update(body).digest('hex');
    return { 'stripe-signature': `t=${timestamp},v1=${signature}` };
  }
  if (scheme.scheme === 'gocardless') return { 'webhook-signature': ofBody.update(body).digest('hex') };
  if (scheme.scheme === 'adyen') return {};
  const hmac = createHmac(scheme.algorithm, signing.secret);
  if (scheme.timestampHeader) hmac.update(`${timestamp}.`);
  return {
    [scheme.header]: `${scheme.prefix}${hmac.update(body).digest(scheme.encoding)}`,
    ...(scheme.timestampHeader ? { [scheme.timestampHeader]: timestamp } : {}),
  };
}

/** An item of Adyen's with its signature, over the fields that its documentation names. */
export function signedItem(item: Record<string, unknown>, secret: string): object {
  const { value, currency } = item.amount as { value: number; currency: string };
  const { pspReference, originalReference, merchantAccountCode, merchantReference, eventCode, success } =
    item;
  const text = [
    ...[pspReference, originalReference, merchantAccountCode, merchantReference],
    ...[value, currency, eventCode, success],
  ]
    .map((field) => field ?? '')
    .join(':');
  const hmacSignature = createHmac('sha256', Buffer.from(secret, 'hex')).update(text).digest('base64');
  return { ...item, additionalData: { ...(item.additionalData as object), hmacSignature } };
}
