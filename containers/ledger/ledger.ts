// The ledger in this process: the contract's methods on its database, commands going through batches.

import { calendarDate } from '../../shared/calendar-date.ts';
import type { TransactionalDatabase } from '../../shared/database.ts';
import type { Command } from '../../shared/ledger/command.ts';
import { postCommands } from '../../shared/ledger/post-commands.ts';
import type { AllocationOrder, Answer } from '../../shared/ledger/posting.ts';
import { readVersions } from '../../shared/ledger/read-versions.ts';
import { setSchedule } from '../../shared/ledger/set-schedule.ts';
import { batching } from './batching.ts';
import { knowingOutcome } from './commit.ts';
import { accountingReads, loanReads } from './methods/reads.ts';
import { watchMethods } from './methods/watch.ts';
import { accountingWrites, loanWrites, type SetSchedule, type Submit } from './methods/writes.ts';
import type { LedgerMethods } from './server.ts';
import { watching } from './watching.ts';

export interface LedgerOptions {
  db: TransactionalDatabase;
  timeZone: string;
  orders: Readonly<Record<string, AllocationOrder>>;
  batches: { largestBatch: number; mostWaiting: number; lanes: number };
  mostWatchers: number;
  now?: () => Date;
}

export function openLedger({ db, timeZone, orders, now = () => new Date(), ...limits }: LedgerOptions) {
  const watched = watching(limits.mostWatchers);
  const batches = batching<Command, Answer>({
    ...limits.batches,
    post: (commands) => {
      const at = now();
      const rules = { now: at, today: calendarDate(at, timeZone), orders };
      return knowingOutcome(db, (own) => postCommands(own, commands, rules));
    },
    posted: (_, answers) => {
      for (const answer of answers) if (answer.ok) watched.told(answer.value.loanId, answer.value.version);
    },
  });
  const submit: Submit = (command, gone) => batches.submit(command, gone);
  const plan: SetSchedule = (schedule) => knowingOutcome(db, (own) => setSchedule(own, schedule, now()));
  const methods: LedgerMethods = {
    accounting: { ...accountingReads(db, timeZone, now), ...accountingWrites(submit) },
    loans: { ...loanReads(db), ...loanWrites(submit, plan) },
    watching: watchMethods(db, watched),
  };
  return {
    methods,
    submit,
    setSchedule: plan,
    /** Tells those who watch what other processes have posted. */
    look: () => watched.look((loanIds) => readVersions(db, loanIds)),
    state: () => ({ ...batches.state(), ...watched.state() }),
  };
}
