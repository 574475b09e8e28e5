import { describe, expect, test } from 'vitest';
import { Counts, exposition, fineBuckets, series } from './metrics.ts';

describe('a series', () => {
  test.each([
    ['requests', {}, 'requests'],
    ['requests', { status: 200 }, 'requests{status="200"}'],
    ['requests', { worker: 'api', route: '/a' }, 'requests{route="/a",worker="api"}'],
    ['requests', { route: 'a\\b"c\nd' }, 'requests{route="a\\\\b\\"c\\nd"}'],
    ['requests', { route: '' }, 'requests{route=""}'],
  ])('of %s with the labels %j is %s', (name, labels, written) => {
    expect(series(name, labels)).toBe(written);
  });
});

test('the same labels in another order are the same series', () => {
  const counts = new Counts();
  counts.add('requests', { a: 1, b: 2 });
  counts.add('requests', { b: 2, a: 1 }, 4);
  counts.add('requests', { a: 1, b: 3 });
  expect(counts.take()).toEqual([
    ['requests{a="1",b="2"}', 5],
    ['requests{a="1",b="3"}', 1],
  ]);
});

test('what was taken is gone, and what could not be delivered is added to what came since', () => {
  const counts = new Counts();
  counts.add('a', {}, 2);
  const taken = counts.take();
  expect(counts.take()).toEqual([]);
  counts.add('a', {}, 1);
  counts.add('b', {});
  counts.restore(taken);
  expect(counts.take()).toEqual([
    ['a', 3],
    ['b', 1],
  ]);
});

test('a histogram counts each observation in every bucket that it fits, bounds included', () => {
  const counts = new Counts();
  for (const seconds of [0.005, 0.0051, 0.3, 5, 9]) counts.observe('duration', { route: '/' }, seconds);
  const found = new Map(counts.take());
  const bucket = (le: string) => found.get(`duration_seconds_bucket{le="${le}",route="/"}`);
  expect(['0.005', '0.01', '0.25', '0.5', '2.5', '5', '+Inf'].map(bucket)).toEqual([1, 2, 2, 3, 3, 4, 5]);
  expect(found.get('duration_seconds_count{route="/"}')).toBe(5);
  expect(found.get('duration_microseconds_sum{route="/"}')).toBe(14_310_100);
});

test('a histogram that could not be delivered is added to what was observed since', () => {
  const counts = new Counts();
  counts.observe('duration', { route: '/' }, 0.3);
  counts.restore(counts.take());
  counts.observe('duration', { route: '/' }, 0.003);
  const taken = counts.take();
  const found = new Map(taken);
  expect(found.size).toBe(taken.length);
  const bucket = (le: string) => found.get(`duration_seconds_bucket{le="${le}",route="/"}`);
  expect(['0.005', '0.25', '0.5', '+Inf'].map(bucket)).toEqual([1, 1, 2, 2]);
  expect(found.get('duration_seconds_count{route="/"}')).toBe(2);
});

test('a histogram may have bounds of its own', () => {
  const counts = new Counts();
  counts.observe('duration', {}, 0.3, [0.2, 0.4]);
  expect(counts.take().map(([name, count]) => [name, count])).toEqual([
    ['duration_seconds_bucket{le="0.2"}', 0],
    ['duration_seconds_bucket{le="0.4"}', 1],
    ['duration_seconds_bucket{le="+Inf"}', 1],
    ['duration_seconds_count', 1],
    ['duration_microseconds_sum', 300_000],
  ]);
});

test('the fine bounds rise by at most two thirds from 5 ms to 1 s, and half a second is one of them', () => {
  const between = fineBuckets.filter((bound) => bound >= 0.005 && bound <= 1);
  for (const [i, bound] of between.slice(1).entries()) {
    expect(bound / (between[i] as number)).toBeGreaterThan(1);
    expect(bound / (between[i] as number)).toBeLessThanOrEqual(5 / 3 + 1e-9);
  }
  expect(between).toContain(0.5);
});

test('every count is a whole number, as HINCRBY wants it', () => {
  const counts = new Counts();
  counts.observe('duration', {}, 0.123_456_789);
  expect(counts.take().every(([, count]) => Number.isSafeInteger(count))).toBe(true);
});

describe('the exposition', () => {
  const help = {
    requests_total: { type: 'counter', help: 'Requests.' },
    duration_seconds: { type: 'histogram', help: 'Time.' },
    depth_count: { type: 'gauge', help: 'A name that ends like a histogram’s.' },
  };

  test('groups the samples of a metric under its help and type, wherever they stood', () => {
    const samples = [
      { series: 'requests_total{status="200"}', value: 3 },
      { series: 'duration_seconds_bucket{le="+Inf"}', value: 2 },
      { series: 'depth_count', value: 4 },
      { series: 'requests_total{status="500"}', value: 1 },
      { series: 'duration_seconds_count', value: 2 },
      { series: 'duration_microseconds_sum', value: 1_500_000 },
    ];
    expect(exposition(samples, help)).toBe(
      `# HELP requests_total Requests.
# TYPE requests_total counter
requests_total{status="200"} 3
requests_total{status="500"} 1
# HELP duration_seconds Time.
# TYPE duration_seconds histogram
duration_seconds_bucket{le="+Inf"} 2
duration_seconds_count 2
duration_seconds_sum 1.5
# HELP depth_count A name that ends like a histogram’s.
# TYPE depth_count gauge
depth_count 4
`,
    );
  });

  test('shows a series that nobody described, without help', () => {
    expect(exposition([{ series: 'unknown_total{a="b"}', value: 1 }], {})).toBe('unknown_total{a="b"} 1\n');
  });

  test('goes by a series’ name and never by what its labels say', () => {
    const labels = { route: '/x_microseconds_sum{_count' };
    const counted = series('requests_total', labels);
    expect(exposition([{ series: counted, value: 5 }], help)).toContain(`\n${counted} 5\n`);
    const sum = series('duration_microseconds_sum', labels);
    expect(exposition([{ series: sum, value: 5e6 }], help)).toContain(
      `\n${series('duration_seconds_sum', labels)} 5\n`,
    );
  });

  test('is empty when there is nothing to show', () => {
    expect(exposition([], help)).toBe('');
  });
});
