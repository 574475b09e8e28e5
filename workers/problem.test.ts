import { expect, test } from 'vitest';
import { type ProblemCode, problem, problems } from './problem.ts';

const codes = Object.keys(problems) as ProblemCode[];

test.each(codes)('%s is a problem as RFC 9457 has it, under the request’s id', async (code) => {
  const response = problem('req-12345', code);
  const [status, title] = problems[code];
  expect(response.status).toBe(status);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(response.headers.get('cache-control')).toBe('no-store');
  expect(await response.json()).toEqual({
    type: `urn:recoup:problem:${code}`,
    title,
    status,
    code,
    requestId: 'req-12345',
  });
});

test('every problem is an error of the client or ours, with a title of its own', () => {
  const all = Object.values(problems);
  expect(all.every(([status]) => status >= 400 && status < 600)).toBe(true);
  expect(new Set(all.map(([, title]) => title)).size).toBe(all.length);
});

test('details, every field at fault and further members are told beside the code', async () => {
  const errors = [
    { field: 'amount', code: 'too_many_decimals', message: 'has more decimals than its currency' },
  ];
  const response = problem('req-12345', 'invalid_request', {
    detail: 'Two words.',
    errors,
    members: { payment_id: 'p-1' },
  });
  expect(await response.json()).toMatchObject({
    code: 'invalid_request',
    detail: 'Two words.',
    errors,
    payment_id: 'p-1',
  });
});

test('who may come back later is told when, and only then', () => {
  expect(problem('req-12345', 'rate_limited', { retryAfterSeconds: 7 }).headers.get('retry-after')).toBe('7');
  expect(problem('req-12345', 'unavailable', { retryAfterSeconds: 0 }).headers.get('retry-after')).toBe('0');
  expect(problem('req-12345', 'unavailable').headers.has('retry-after')).toBe(false);
});

test('a missing key is answered with how to present one, a missing signature is not', () => {
  expect(problem('req-12345', 'unauthenticated').headers.get('www-authenticate')).toBe('Bearer');
  expect(problem('req-12345', 'invalid_signature').headers.has('www-authenticate')).toBe(false);
});
