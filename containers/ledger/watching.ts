// Who watches a loan is woken when it gets a new version: at once when this process posted it, else by the next look at
// the versions of all watched loans. A watcher reads on from where it is, so nothing is kept for it and nothing is
// missed, however slowly it reads.

export interface Watcher {
  /** Resolves when the loan has a version beyond the one given, or the signal comes. */
  beyond(version: number, signal: AbortSignal): Promise<void>;
  leave(): void;
}

export function watching(most: number) {
  interface Loan {
    /** The latest version that is known. */
    version: number;
    watchers: number;
    wake: Set<() => void>;
  }
  const loans = new Map<string, Loan>();
  let watchers = 0;

  function told(loanId: string, version: number): void {
    const loan = loans.get(loanId);
    if (!loan || version <= loan.version) return;
    loan.version = version;
    const woken = [...loan.wake];
    loan.wake.clear();
    for (const wake of woken) wake();
  }

  return {
    told,
    /** Undefined when too many watch already. */
    watch(loanId: string): Watcher | undefined {
      if (watchers >= most) return undefined;
      watchers += 1;
      const loan = loans.get(loanId) ?? { version: 0, watchers: 0, wake: new Set() };
      loans.set(loanId, loan);
      loan.watchers += 1;
      return {
        beyond: (version, signal) =>
          new Promise((resolve) => {
            if (loan.version > version || signal.aborted) return resolve();
            const wake = () => {
              loan.wake.delete(wake);
              signal.removeEventListener('abort', wake);
              resolve();
            };
            loan.wake.add(wake);
            signal.addEventListener('abort', wake, { once: true });
          }),
        leave() {
          watchers -= 1;
          loan.watchers -= 1;
          if (loan.watchers === 0) loans.delete(loanId);
        },
      };
    },
    /** Asks for the versions of all loans that are watched; nothing where none is. */
    async look(versionsOf: (loanIds: string[]) => Promise<Iterable<[loanId: string, version: number]>>) {
      const ids = [...loans.keys()];
      if (ids.length > 0) for (const [loanId, version] of await versionsOf(ids)) told(loanId, version);
      return ids.length;
    },
    state: () => ({ watchers }),
  };
}

export type Watching = ReturnType<typeof watching>;
