// docs/problems.md has exactly the codes that workers/problem.ts may answer, with their statuses.

import { expect, test } from 'vitest';
import { problems } from '../../workers/problem.ts';
import { read } from './repository.ts';

test('docs/problems.md describes every problem there is, under its status, and no other', () => {
  const described = [...read('docs/problems.md').matchAll(/^### `([a-z_]+)` \((\d{3})\)$/gm)];
  expect(Object.fromEntries(described.map(([, code, status]) => [code, Number(status)]))).toEqual(
    Object.fromEntries(Object.entries(problems).map(([code, [status]]) => [code, status])),
  );
  expect(described).toHaveLength(Object.keys(problems).length);
});
