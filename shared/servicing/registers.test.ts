import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  emptyState,
  lastSaid,
  namesUnder,
  type State,
  type Step,
  take,
  timeOf,
  versionOf,
} from './registers.ts';

const times = [undefined, '2026-01-01T00:00:00.000000000Z', '2026-01-01T00:00:00.000000001Z', '2026-02-01'];
const anyStep = fc.record({
  time: fc.constantFrom(...times),
  creation: fc.boolean(),
  values: fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.oneof(fc.integer(), fc.constant(null))),
});
/** Of one event each: no two have the same version. */
const anySteps = fc
  .array(anyStep, { maxLength: 12 })
  .map((steps) =>
    steps.map(({ time, ...step }, n): Step => ({ ...step, version: versionOf(time, `e${n}`) })),
  );
const anySet = anySteps.chain((steps) =>
  fc.record({
    steps: fc.constant(steps),
    shuffled: fc.shuffledSubarray(steps, { minLength: steps.length }),
    some: fc.subarray(steps),
  }),
);

const all = (steps: readonly Step[], state: State = emptyState) => steps.reduce(take, state);

describe('taking steps', () => {
  test('in another order ends in the same state', () => {
    fc.assert(
      fc.property(anySet, ({ steps, shuffled }) => {
        expect(all(shuffled)).toEqual(all(steps));
      }),
    );
  });

  test('that were taken before changes nothing, not even the object', () => {
    fc.assert(
      fc.property(anySet, ({ shuffled, some }) => {
        const state = all(shuffled);
        expect(all(some, state)).toBe(state);
      }),
    );
  });

  test('after others, or others after them, is taking them all', () => {
    fc.assert(
      fc.property(anySet, ({ steps, some }) => {
        const others = steps.filter((step) => !some.includes(step));
        expect(all(others, all(some))).toEqual(all(steps));
        expect(all(some, all(others))).toEqual(all(steps));
      }),
    );
  });

  test('leaves the state they were taken from as it was', () => {
    fc.assert(
      fc.property(anySteps, anyStep, (steps, { time, ...step }) => {
        const state = all(steps);
        const copy = structuredClone(state);
        take(state, { ...step, version: versionOf(time, 'later') });
        expect(state).toEqual(copy);
      }),
    );
  });

  test('a field is what the highest version said, of an update or of the first creation', () => {
    fc.assert(
      fc.property(anySteps, (steps) => {
        const state = all(steps);
        const isTimed = ({ version }: Step) => !version.startsWith(' ');
        const [first] = steps
          .filter(({ creation }) => creation)
          .sort((a, b) => Number(isTimed(b)) - Number(isTimed(a)) || (a.version < b.version ? -1 : 1));
        const counting = steps.filter((step) => !step.creation || step === first);
        for (const name of ['a', 'b', 'c']) {
          const said = counting.filter(({ values }) => Object.hasOwn(values, name));
          const last = said.sort((a, b) => (a.version < b.version ? 1 : -1))[0];
          expect(lastSaid(state, name)).toEqual(last?.values[name]);
        }
      }),
    );
  });
});

describe('creations', () => {
  const step = (time: string | undefined, id: string, creation: boolean, values: Step['values']): Step => ({
    version: versionOf(time, id),
    creation,
    values,
  });
  const bothWays = (...steps: Step[]) => {
    const state = all(steps);
    expect(all(steps.toReversed())).toEqual(state);
    return state;
  };

  test('after the first change nothing, not even what the first did not say', () => {
    const state = bothWays(
      step('2026-01-01', 'e1', true, { a: 1 }),
      step('2026-01-02', 'e2', true, { a: 2, b: 2 }),
    );
    expect([lastSaid(state, 'a'), lastSaid(state, 'b')]).toEqual([1, undefined]);
  });

  test('without a time come after those that have one', () => {
    const state = bothWays(step(undefined, 'e1', true, { a: 1 }), step('2026-01-02', 'e2', true, { a: 2 }));
    expect(lastSaid(state, 'a')).toBe(2);
  });

  test('fill what nobody has said, and what was said before them', () => {
    const state = bothWays(
      step('2026-01-03', 'e1', false, { a: 'newer' }),
      step('2026-01-01', 'e2', false, { b: 'older' }),
      step('2026-01-02', 'e3', true, { a: 'made', b: 'made', c: 'made' }),
    );
    expect(['a', 'b', 'c'].map((name) => lastSaid(state, name))).toEqual(['newer', 'made', 'made']);
  });
});

test('of two events of one time the one with the higher id counts, without a time the one that has one', () => {
  const said = (version: string, value: number): Step => ({ version, creation: false, values: { a: value } });
  const last = (...steps: Step[]) => lastSaid(all(steps), 'a');
  const [low, high] = [said(versionOf('2026', 'e1'), 1), said(versionOf('2026', 'e2'), 2)];
  expect([last(low, high), last(high, low)]).toEqual([2, 2]);
  expect(last(low, said(versionOf(undefined, 'z'), 3))).toBe(1);
});

test('a version tells its time, or that it has none', () => {
  expect(timeOf(versionOf('2026-01-01', 'an id'))).toBe('2026-01-01');
  expect(timeOf(versionOf(undefined, 'an id'))).toBeUndefined();
});

test('names under a prefix come from the creation and from updates, each once and in order', () => {
  const state = all([
    { version: ' e1', creation: true, values: { 'x:b': 1, 'x:a': 1, y: 1 } },
    { version: ' e2', creation: false, values: { 'x:c': 1, 'x:a': 1 } },
  ]);
  expect(namesUnder(state, 'x:')).toEqual(['a', 'b', 'c']);
});
