import { expect, test } from 'vitest';
import * as z from 'zod/mini';
import { fieldsOf, picked, sparse } from './fields.ts';

const loan = z.object({ accountId: z.string(), status: z.nullable(z.string()) });
const customer = z.object({
  id: z.string(),
  name: z.optional(z.object({ first: z.string(), last: z.string() })),
  loans: z.array(loan),
  tags: z.record(z.string(), z.object({ at: z.string() })),
  next: z.nullable(z.union([loan, z.object({ day: z.string() })])),
});
const ada = {
  id: 'C1',
  name: { first: 'Ada', last: 'Lovelace' },
  loans: [
    { accountId: 'A1', status: 'open' },
    { accountId: 'A2', status: null },
  ],
  tags: { vip: { at: 'now' } },
  next: { day: '2026-01-01' },
};
const parameters = z.object({ fields: fieldsOf(customer) });
const asked = (fields: string | undefined) => picked(ada, parameters.parse({ fields }).fields);

test('without fields the answer is whole', () => {
  expect(asked(undefined)).toBe(ada);
});

test.each([
  ['id', { id: 'C1' }],
  ['id,name.last', { id: 'C1', name: { last: 'Lovelace' } }],
  ['loans.status', { loans: [{ status: 'open' }, { status: null }] }],
  ['name,name.last', { name: ada.name }],
  ['name.last,name', { name: ada.name }],
  ['next.day', { next: { day: '2026-01-01' } }],
  ['next.status', { next: {} }],
  ['tags.vip.at', { tags: { vip: { at: 'now' } } }],
])('%s keeps just that', (fields, kept) => {
  expect(asked(fields)).toEqual(kept);
});

test.each([
  ...['', ',', 'ID', 'id,', 'id.x', 'loans.', 'loans.0', 'name.middle', '__proto__', 'toString'],
  ...['constructor', 'name.__proto__', Array(101).fill('id').join(','), `id,${'x'.repeat(2_000)}`],
])('%j is refused', (fields) => {
  expect(parameters.safeParse({ fields }).success).toBe(false);
});

test('an answer of some fields is described by the sparse schema, and by no other', () => {
  const page = z.object({ data: z.array(customer), next: z.nullable(z.string()) });
  const loose = sparse(page, parameters);
  const answer = { data: [asked('loans.status,tags')], next: null };
  expect(page.safeParse(answer).success).toBe(false);
  expect(loose.parse(answer)).toEqual(answer);
  expect(loose.safeParse({ data: [{ id: 7 }], next: null }).success).toBe(false);
  expect(loose.safeParse({ data: [] }).success).toBe(false);
  expect(sparse(page, z.object({ q: z.string() }))).toBe(page);
});

test('a path through a record leads nowhere else', () => {
  expect(asked('tags.__proto__.at,tags.constructor.at')).toEqual({ tags: {} });
  expect(({} as { at?: unknown }).at).toBe(undefined);
  expect((Object as { at?: unknown }).at).toBe(undefined);
});
