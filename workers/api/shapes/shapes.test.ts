// What is read and what is described are one: a column that is added to one and not to the other does not compile.

import { expectTypeOf, test } from 'vitest';
import type * as z from 'zod/mini';
import type { readNotices, readRejectedBodies } from '../../../shared/read/channel-posts.ts';
import type { Customer } from '../../../shared/read/customer.ts';
import type { readDeadLetter, readDeadLetters } from '../../../shared/read/dead-letters.ts';
import type { JobState } from '../../../shared/read/jobs.ts';
import type { PaymentDetails } from '../../../shared/read/payment-history.ts';
import type { PaymentRow, readConflicts } from '../../../shared/read/payments.ts';
import type { ReversedState, readReversals } from '../../../shared/read/reversals.ts';
import type { QuarantinedRow } from '../../../shared/read/staging.ts';
import type { customer } from './customer.ts';
import type { deadLetter, job, notice, quarantinedRow, rejectedBody, wholeDeadLetter } from './operations.ts';
import type { conflict, payment, reversal, reversedState, wholePayment } from './payments.ts';

type RowOf<Read extends (...args: never[]) => Promise<{ rows: unknown[] }>> = Awaited<
  ReturnType<Read>
>['rows'][number];
/** But for what is JSON text in the one and JSON in the other. */
type But<T, Json extends PropertyKey> = { [K in keyof T as Exclude<K, Json>]: T[K] };

test('the shapes are those of the rows', () => {
  expectTypeOf<But<z.output<typeof payment>, 'metadata'>>().toEqualTypeOf<But<PaymentRow, 'metadata'>>();
  expectTypeOf<But<z.output<typeof wholePayment>, 'metadata' | 'history'>>().toEqualTypeOf<
    But<PaymentDetails, 'metadata' | 'history'>
  >();
  expectTypeOf<z.output<typeof reversal>>().toEqualTypeOf<RowOf<typeof readReversals>>();
  expectTypeOf<z.output<typeof reversedState>>().toEqualTypeOf<ReversedState>();
  type Conflict = RowOf<typeof readConflicts>;
  expectTypeOf<But<z.output<typeof conflict>, 'recorded' | 'received' | 'decidedAt'>>().toEqualTypeOf<
    But<Conflict, 'recorded' | 'received' | 'decidedAt'>
  >();
  expectTypeOf<But<z.output<typeof conflict>['recorded'], 'metadata'>>().toEqualTypeOf<
    But<Conflict['recorded'], 'metadata'>
  >();
  expectTypeOf<But<z.output<typeof quarantinedRow>, 'metadata' | 'faults' | 'processedAt'>>().toEqualTypeOf<
    But<QuarantinedRow, 'metadata' | 'faults' | 'processedAt'>
  >();
  expectTypeOf<But<z.output<typeof notice>, 'payload'>>().toEqualTypeOf<
    But<RowOf<typeof readNotices>, 'payload'>
  >();
  expectTypeOf<But<z.output<typeof rejectedBody>, 'refusal'>>().toEqualTypeOf<
    But<RowOf<typeof readRejectedBodies>, 'refusal'>
  >();
  expectTypeOf<z.output<typeof deadLetter>>().toEqualTypeOf<RowOf<typeof readDeadLetters>>();
  expectTypeOf<z.output<typeof wholeDeadLetter>>().toEqualTypeOf<
    NonNullable<Awaited<ReturnType<typeof readDeadLetter>>>
  >();
  expectTypeOf<z.output<typeof job>>().toEqualTypeOf<JobState>();
  expectTypeOf<z.output<typeof customer>>().toEqualTypeOf<Customer>();
});
