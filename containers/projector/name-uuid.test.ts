import fc from 'fast-check';
import { expect, test } from 'vitest';
import { uuidOf } from '../../shared/id.ts';
import { nameUuid } from './name-uuid.ts';

const space = '0b5c3f4e-6a0d-4c7c-9c39-5f2f7f0f5d11';

test('it is the id that every other way in comes to', () => {
  fc.assert(
    fc.property(fc.uuid(), fc.string({ unit: 'binary', maxLength: 300 }), (anySpace, name) => {
      expect(nameUuid(anySpace, name)).toBe(uuidOf(anySpace, name));
    }),
  );
});

test('of a long name, too, and of a short one after it', () => {
  for (const name of ['é'.repeat(200_000), 'x', '\ud800', ''])
    expect(nameUuid(space, name)).toBe(uuidOf(space, name));
});
