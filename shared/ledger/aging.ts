// How late a loan is, in the classes that lenders count in.

import type { AgingBucket } from './answers.ts';

const limits = { '1-30': 30, '31-60': 60, '61-90': 90 } as const;

export function bucketOfDays(daysPastDue: number): AgingBucket {
  if (daysPastDue === 0) return 'current';
  for (const [bucket, upTo] of Object.entries(limits)) if (daysPastDue <= upTo) return bucket as AgingBucket;
  return '90+';
}

/** SQL: the class of an expression of type int. */
export const bucketOfDaysSql = (days: string): string =>
  `case when ${days} = 0 then 'current' ${Object.entries(limits)
    .map(([bucket, upTo]) => `when ${days} <= ${upTo} then '${bucket}'`)
    .join(' ')} else '90+' end`;
