// How late a loan is, in the four classes that lenders count in; the days decide, whatever a sender calls it.

export const buckets = {
  '1-30': { from: 1, to: 30 },
  '31-60': { from: 31, to: 60 },
  '61-90': { from: 61, to: 90 },
  '90+': { from: 91, to: undefined },
} as const satisfies Record<string, { from: number; to: number | undefined }>;

export type Bucket = keyof typeof buckets;
export const bucketNames = Object.keys(buckets) as Bucket[];

/** SQL: the class of an expression of type int that is above 0. */
export const bucketOf = (days: string): string =>
  `case ${bucketNames
    .flatMap((name) => {
      const { to } = buckets[name];
      return to === undefined ? [] : [`when ${days} <= ${to} then '${name}'`];
    })
    .join(' ')} else '${bucketNames.at(-1)}' end`;

/** What is over: nobody is asked for it any more. */
const endedStatuses = ['paid_off', 'closed', 'written_off'] as const;
/** SQL list of them. */
export const ended = endedStatuses.map((status) => `'${status}'`).join(', ');
