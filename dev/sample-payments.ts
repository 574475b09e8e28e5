// Payments and events as a channel would send them, signed by node:crypto and so independently of the code that verifies.

import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import type { Running } from './running.ts';

export type SampleChannel = Running['channels'][string];

export interface SamplePayment {
  reference_number: string;
  loan_account_number: string;
  cif: string;
  amount: string;
  payment_date: string;
  metadata: Record<string, unknown>;
}

export function samplePayment(): SamplePayment {
  const customer = Math.floor(Math.random() * 1_000);
  return {
    reference_number: `DEMO-${randomBytes(6).toString('hex').toUpperCase()}`,
    loan_account_number: `LN${String(customer).padStart(8, '0')}`,
    cif: `CIF${String(customer).padStart(6, '0')}`,
    amount: `${10 + Math.floor(Math.random() * 990)}.${String(Math.floor(Math.random() * 100)).padStart(2, '0')}`,
    payment_date: new Date().toISOString(),
    metadata: { note: 'sample payment' },
  };
}

/** A customer's new address for mail, as another system would tell it. */
export function sampleEvent() {
  const customer = `CIF${String(Math.floor(Math.random() * 1_000)).padStart(6, '0')}`;
  return {
    event_type: 'customer.changed.v1',
    event_id: randomUUID(),
    user_id: customer,
    payload: {
      customer_id: customer,
      changed_at: new Date().toISOString(),
      email_address: `${customer.toLowerCase()}@example.com`,
    },
  };
}

/** The headers that make a body acceptable to its channel, for the next five minutes. */
export function sign(channel: SampleChannel, body: string): Record<string, string> {
  const timestamp = String(Math.floor(Date.now() / 1000));
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (channel.scheme === 'standard') {
    const id = `msg_${randomUUID()}`;
    const key = Buffer.from(channel.secret.slice('whsec_'.length), 'base64');
    const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
    return {
      ...headers,
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': `v1,${signature}`,
    };
  }
  if (channel.scheme !== 'hmac')
    throw new Error(`samples are made for standard and hmac, not ${channel.scheme}`);
  const { algorithm, encoding, header, prefix, timestampHeader } = channel;
  const content = timestampHeader ? `${timestamp}.${body}` : body;
  const signature = createHmac(algorithm, channel.secret).update(content).digest(encoding);
  if (timestampHeader) headers[timestampHeader.toLowerCase()] = timestamp;
  return { ...headers, [header.toLowerCase()]: `${prefix}${signature}` };
}

/** A command line that posts one signed sample. */
export function curlLine(channel: SampleChannel, sample: object): string {
  const body = JSON.stringify(sample);
  const headers = Object.entries(sign(channel, body)).map(([name, value]) => `-H '${name}: ${value}'`);
  return `curl -sS -X POST ${channel.url} ${headers.join(' ')} -d '${body}'`;
}
