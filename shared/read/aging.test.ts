import { expect, test } from 'vitest';
import { bucketNames, bucketOf, buckets } from './aging.ts';

test('every number of days is in one class', () => {
  for (let days = 0; days <= 400; days++) {
    const classes = bucketNames.filter((name) => {
      const { from, to }: { from: number; to: number | undefined } = buckets[name];
      return days >= from && (to === undefined || days <= to);
    });
    expect(classes, `${days} days`).toHaveLength(days === 0 ? 0 : 1);
  }
});

test('SQL has the same classes', () => {
  expect(bucketOf('d')).toBe(
    "case when d <= 30 then '1-30' when d <= 60 then '31-60' when d <= 90 then '61-90' else '90+' end",
  );
});
