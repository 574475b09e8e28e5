// What is read and what is described are one: a column that is added to one and not to the other does not compile.

import { expectTypeOf, test } from 'vitest';
import type * as z from 'zod/mini';
import type { AccountRow, DelinquentRow } from '../../../shared/read/accounts.ts';
import type { readNotices, readRejectedBodies } from '../../../shared/read/channel-posts.ts';
import type { Conversation, ConversationRow } from '../../../shared/read/conversations.ts';
import type { Customer } from '../../../shared/read/customer.ts';
import type { CustomerRow } from '../../../shared/read/customers.ts';
import type { readDeadLetter, readDeadLetters } from '../../../shared/read/dead-letters.ts';
import type { JobState } from '../../../shared/read/jobs.ts';
import type { LoanAccount } from '../../../shared/read/loan-account.ts';
import type { Overview } from '../../../shared/read/overview.ts';
import type { PaymentDetails } from '../../../shared/read/payment-history.ts';
import type { PaymentRow, readConflicts } from '../../../shared/read/payments.ts';
import type { ReversedState, readReversals } from '../../../shared/read/reversals.ts';
import type { CustomerFound, ThingFound } from '../../../shared/read/search.ts';
import type { QuarantinedRow } from '../../../shared/read/staging.ts';
import type { TimelineEntry } from '../../../shared/read/timeline.ts';
import type { conversation, conversationWithLines } from './conversations.ts';
import type { customer, foundThing, listedCustomer, timelineEntry } from './customer.ts';
import type { account, delinquentAccount, wholeAccount } from './loans.ts';
import type { deadLetter, job, notice, quarantinedRow, rejectedBody, wholeDeadLetter } from './operations.ts';
import type { overview } from './overview.ts';
import type { conflict, payment, reversal, reversedState, wholePayment } from './payments.ts';

type RowOf<Read extends (...args: never[]) => Promise<{ rows: unknown[] }>> = Awaited<
  ReturnType<Read>
>['rows'][number];
/** But for what is JSON text in the one and JSON in the other. */
type But<T, Json extends PropertyKey> = { [K in keyof T as Exclude<K, Json>]: T[K] };

test('the shapes are those of the rows', () => {
  expectTypeOf<But<z.output<typeof payment>, 'metadata'>>().toEqualTypeOf<But<PaymentRow, 'metadata'>>();
  expectTypeOf<But<z.output<typeof wholePayment>, 'metadata' | 'history' | 'postings'>>().toEqualTypeOf<
    But<PaymentDetails, 'metadata' | 'history' | 'postings'>
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
  type FoundOnly = Omit<CustomerFound, keyof CustomerRow>;
  type Listed = z.output<typeof listedCustomer>;
  expectTypeOf<But<Listed, keyof FoundOnly>>().toEqualTypeOf<But<CustomerRow, never>>();
  expectTypeOf<{ [K in keyof FoundOnly]: NonNullable<Listed[K]> }>().toEqualTypeOf<But<FoundOnly, never>>();
  expectTypeOf<z.output<typeof foundThing>>().toEqualTypeOf<But<ThingFound, never>>();
  expectTypeOf<z.output<typeof timelineEntry>>().toEqualTypeOf<TimelineEntry>();
  expectTypeOf<z.output<typeof account>>().toEqualTypeOf<AccountRow>();
  expectTypeOf<z.output<typeof delinquentAccount>>().toEqualTypeOf<But<DelinquentRow, never>>();
  expectTypeOf<z.output<typeof wholeAccount>>().toEqualTypeOf<LoanAccount>();
  expectTypeOf<z.output<typeof conversation>>().toEqualTypeOf<ConversationRow>();
  expectTypeOf<z.output<typeof conversationWithLines>>().toEqualTypeOf<But<Conversation, never>>();
  expectTypeOf<z.output<typeof overview>>().toEqualTypeOf<Overview>();
});
