// Plaid's API as its documentation has it, as far as notices need it: verification keys, transfer events and transfers.
// It also signs webhooks, with a key of its own.

import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { type Asked, type ProviderServer, type Reply, startProvider } from './server.ts';

export const clientId = 'client-of-the-tests';
export const token = 'secret-of-the-tests';

export interface PlaidEvent {
  /** Text, because ids are 64-bit numbers. */
  event_id: string;
  [field: string]: unknown;
}
export interface Plaid extends ProviderServer {
  keyId: string;
  /** Null while the key is live. */
  expiredAt: number | null;
  events: PlaidEvent[];
  transfers: Map<string, object>;
  /** The header of a webhook that is sent now. */
  signed(body: string, over?: { at?: number; kid?: string; alg?: string; bodyHash?: string }): string;
}

const error = (status: number, error_type: string, error_code: string): Reply => ({
  status,
  body: {
    display_message: null,
    error_code,
    error_message: 'As the code says.',
    error_type,
    request_id: 'test',
  },
});
const base64Url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

export async function startPlaid(): Promise<Plaid> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x, y } = publicKey.export({ format: 'jwk' });
  const plaid = {} as Plaid;
  const own: Omit<Plaid, keyof ProviderServer> = {
    keyId: crypto.randomUUID(),
    expiredAt: null,
    events: [],
    transfers: new Map(),
    signed(body, { at = Math.floor(Date.now() / 1000), kid = plaid.keyId, alg = 'ES256', bodyHash } = {}) {
      const hash = bodyHash ?? createHash('sha256').update(body).digest('hex');
      const text = `${base64Url({ alg, kid, typ: 'JWT' })}.${base64Url({ iat: at, request_body_sha256: hash })}`;
      const signature = sign('sha256', Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' });
      return `${text}.${signature.toString('base64url')}`;
    },
  };
  const server = await startProvider((asked) => answer(asked, plaid, { x, y }));
  return Object.assign(plaid, server, own);
}

function answer({ method, path, body }: Asked, plaid: Plaid, jwk: object): Reply {
  const asked = JSON.parse(body || '{}');
  if (method !== 'POST') return error(404, 'INVALID_REQUEST', 'NOT_FOUND');
  if (asked.client_id !== clientId || asked.secret !== token)
    return error(400, 'INVALID_INPUT', 'INVALID_API_KEYS');
  switch (path) {
    case '/webhook_verification_key/get': {
      if (asked.key_id !== plaid.keyId)
        return error(400, 'INVALID_INPUT', 'INVALID_WEBHOOK_VERIFICATION_KEY_ID');
      const dates = { created_at: 1_700_000_000, expired_at: plaid.expiredAt };
      const key = { alg: 'ES256', crv: 'P-256', kid: plaid.keyId, kty: 'EC', use: 'sig', ...jwk, ...dates };
      return { status: 200, body: { key, request_id: 'test' } };
    }
    case '/transfer/event/sync': {
      const after = BigInt(/"after_id":(\d+)/.exec(body)?.[1] ?? 0);
      const rest = plaid.events.filter(({ event_id }) => BigInt(event_id) > after);
      const events = rest.slice(0, asked.count ?? 25);
      const text = JSON.stringify({
        transfer_events: events,
        has_more: rest.length > events.length,
        request_id: 'test',
      });
      return { status: 200, body: text.replace(/"event_id":"(\d+)"/g, '"event_id":$1') };
    }
    case '/transfer/get': {
      const transfer = plaid.transfers.get(asked.transfer_id);
      return transfer
        ? { status: 200, body: { transfer, request_id: 'test' } }
        : error(400, 'TRANSFER_ERROR', 'TRANSFER_NOT_FOUND');
    }
    default:
      return error(404, 'INVALID_REQUEST', 'NOT_FOUND');
  }
}

/** A transfer like any other. */
export const plaidTransfer = (over: object = {}): object => ({
  id: '460cbe92-0000-4ad6-b37d-0ec90fd90001',
  ach_class: 'ppd',
  account_id: 'account-1',
  type: 'debit',
  amount: '100.50',
  iso_currency_code: 'USD',
  description: 'payment',
  created: '2026-11-20T15:00:00Z',
  status: 'settled',
  network: 'ach',
  metadata: { loan_account_number: 'LN00001234', cif: 'CIF000077' },
  refunds: [],
  failure_reason: null,
  ...over,
});

/** An event about it. */
export const plaidEvent = (event_type: string, over: Partial<PlaidEvent> = {}): PlaidEvent => ({
  event_id: '1',
  timestamp: '2026-11-23T09:30:00Z',
  event_type,
  account_id: 'account-1',
  funding_account_id: 'funding-1',
  transfer_id: '460cbe92-0000-4ad6-b37d-0ec90fd90001',
  transfer_type: 'debit',
  transfer_amount: '100.50',
  failure_reason: null,
  sweep_id: null,
  sweep_amount: null,
  refund_id: null,
  ...over,
});
