import { expect, test } from 'vitest';
import { grantsOf } from './roles.ts';

test('of each permission the widest reach counts', () => {
  const grants = grantsOf(
    ['agent'],
    [
      ['notes:write', 'team'],
      ['sessions:read', 'own'],
      ['sessions:read', 'all'],
      ['sessions:read', 'team'],
    ],
  );
  expect([grants.get('notes:write'), grants.get('sessions:read')]).toEqual(['team', 'all']);
});

test('what is everybody’s is reached by all or by nothing; what is not known is nothing', () => {
  const written = [
    ['payments:read', 'own'],
    ['customers:read', 'team'],
    ['jobs:read', 'all'],
    ['users:read', 'everywhere'],
    ['everything:do', 'all'],
  ] as const;
  expect([...grantsOf(['king'], written)]).toEqual([['jobs:read', 'all']]);
});
