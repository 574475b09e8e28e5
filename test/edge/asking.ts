// Speaks HTTP to the Workers as senders and staff would. Every call is bounded.

import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { type ChannelName, channel } from './channels.ts';
import { checkDescribed } from './described.ts';
import type { Edge } from './runtimes.ts';
import { type Signing, signedHeaders } from './sign.ts';

const limitMs = 15_000;

export interface Answer {
  status: number;
  headers: Headers;
  /** As it came; amounts and metadata keep their digits here. */
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: whatever JSON it is; the assertions tell.
  body: any;
  ms: number;
}

/** An answer that its route is not declared with is a fault of the test's subject, and thrown. */
export async function ask(url: string, init: RequestInit = {}): Promise<Answer> {
  const started = performance.now();
  const response = await fetch(url, { ...init, signal: AbortSignal.timeout(limitMs), redirect: 'manual' });
  const isStream = response.headers.get('content-type') === 'text/event-stream';
  const text = isStream ? await firstPiece(response) : await response.text();
  const ms = performance.now() - started;
  const isJson = /json/.test(response.headers.get('content-type') ?? '');
  const body = isJson && text ? JSON.parse(text) : undefined;
  const answer = { status: response.status, headers: response.headers, text, body, ms };
  checkDescribed(url, init.method ?? 'GET', answer);
  return answer;
}

/** Of what goes on and on. */
async function firstPiece(response: Response): Promise<string> {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const { value } = await reader.read();
  await reader.cancel();
  return new TextDecoder().decode(value);
}

/** As staff and services do. */
export const read = (edge: Edge, path: string, token?: string): Promise<Answer> =>
  ask(`${edge.urls.api}${path}`, token ? { headers: { authorization: `Bearer ${token}` } } : {});

export const write = (edge: Edge, path: string, token: string, body: unknown): Promise<Answer> =>
  ask(`${edge.urls.api}${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
  });

/** Where a webhook may be delivered. */
export const doors = ['api', 'webhooks'] as const;
export type DoorName = (typeof doors)[number];

export interface Delivery extends Partial<Signing> {
  to?: DoorName;
  channel?: ChannelName;
  /** To where events go, not payments. */
  events?: boolean;
  /** On top of the signature's, or instead of them. */
  headers?: Record<string, string>;
  unsigned?: boolean;
}

export const webhookUrl = (edge: Edge, { to = 'api', channel: name, events }: Delivery): string =>
  `${edge.urls[to]}/api/v1/${events ? 'events' : 'payments/webhook'}${name ? `/${name}` : ''}`;

export const bytesOf = (body: unknown): Buffer<ArrayBuffer> =>
  Buffer.isBuffer(body)
    ? (body as Buffer<ArrayBuffer>)
    : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));

export function deliveryHeaders(body: unknown, delivery: Delivery): Record<string, string> {
  const { configuration, secret } = channel(delivery.channel ?? (delivery.events ? 'servicing' : 'standard'));
  const signing = { secret: secret ?? '', ...delivery };
  const signature = delivery.unsigned ? {} : signedHeaders(configuration, bytesOf(body), signing);
  return { 'content-type': 'application/json', ...signature, ...delivery.headers };
}

/** A text or bytes go out as they are. */
export const deliver = (edge: Edge, body: unknown, delivery: Delivery = {}): Promise<Answer> =>
  ask(webhookUrl(edge, delivery), {
    method: 'POST',
    body: bytesOf(body),
    headers: deliveryHeaders(body, delivery),
  });

let references = 0;
export const newReference = (): string => `REF-${++references}-${randomUUID().slice(0, 8)}`;

/** A payment's body under a new reference. */
export const aPayment = (changes: Record<string, unknown> = {}) => ({
  reference_number: newReference(),
  loan_account_number: 'LN-1001',
  cif: 'CIF-77',
  amount: '100.50',
  payment_date: '2026-03-10T09:30:00+01:00',
  ...changes,
});

/** Every refusal has this shape; answers its body for what is particular to it. */
export function expectProblem(answer: Answer, status: number, code: string) {
  expect({ status: answer.status, code: answer.body?.code }, answer.text).toEqual({ status, code });
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  expect(answer.headers.get('cache-control')).toBe('no-store');
  expect(answer.body).toMatchObject({ type: `urn:recoup:problem:${code}`, status });
  expect(answer.body.title).toMatch(/^\S.+$/);
  expect(answer.body.requestId).toBe(answer.headers.get('x-request-id'));
  expect(answer.body.requestId).toMatch(/^[\w-]{8,64}$/);
  return answer.body;
}

/** Asks again and again until it holds, for at most this long. */
export async function eventually<T>(
  what: () => Promise<T>,
  holds: (value: T) => boolean,
  withinMs: number,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const value = await what();
    if (holds(value) || performance.now() > deadline) return value;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** How many answers have each status. */
export const tally = (answers: readonly Answer[]): Record<number, number> => {
  const counts: Record<number, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
};
