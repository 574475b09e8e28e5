// How late a loan is, in the classes that lenders count in.

import type { AgingBucket } from './answers.ts';

const limits = { '1-30': 30, '31-60': 60, '61-90': 90 } as const;

export function bucketOfDays(daysPastDue: number): AgingBucket {
  if (daysPastDue === 0) return 'current';
  for (const [bucket, upTo] of Object.entries(limits)) if (daysPastDue <= upTo) return bucket as AgingBucket;
  return '90+';
}
