// The figures of the day as they are answered.

import * as z from 'zod/mini';
import { bucketNames } from '../../../shared/read/aging.ts';
import { calendarDay, currency, decimal, instant } from './values.ts';

const sum = { currency: z.nullable(currency), count: z.int(), amount: z.nullable(decimal) };
const sums = z.array(z.object(sum));
const count = z.nullable(z.number());

export const overview = z.object({
  day: calendarDay,
  received: z.object({ totals: sums, byChannel: z.array(z.object({ ...sum, channel: z.string() })) }),
  due: z.object({ today: sums, nextSevenDays: sums, countedAt: z.nullable(instant) }),
  promised: sums,
  arrears: z.array(z.object({ ...sum, bucket: z.enum(bucketNames) })),
  lag: z.object({
    staging: z.object({ waiting: z.int() }),
    outbox: z.array(z.object({ destination: z.string(), waiting: z.int(), oldestSeconds: z.number() })),
    inbox: z.object({ waiting: z.int(), oldestSeconds: z.number() }),
    streams: z.nullable(
      z.array(
        z.object({
          stream: z.string(),
          waiting: z.number(),
          pending: z.number(),
          oldestPendingSeconds: z.number(),
          kept: count,
        }),
      ),
    ),
    accepted: z.object({ waiting: count, buried: count }),
    deadLetters: z.int(),
    unsealed: z.object({ entries: z.int(), oldestSeconds: z.number() }),
  }),
});
