import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Change, gather, kindsFor } from './change.ts';
import { Feed } from './feed.ts';
import { parseSnapshot, type Snapshot, sees, seesAllOf } from './snapshot.ts';

const at = (text: string) => parseSnapshot(text) as Snapshot;

describe('a moment', () => {
  test.each([
    undefined,
    '',
    '1:2',
    '3:2:',
    '0:5:',
    '1:5:5',
    '2:5:1',
    '1:9:4,3',
    '1:9:3,3',
    '1:9:3,',
    'a:b:c',
    `1:${2n ** 63n}:`,
    ` 1:2:`,
    `1:9999999:${Array.from({ length: 900 }, (_, n) => n + 10_000).join(',')}`,
  ])('%j is none', (text) => {
    expect(parseSnapshot(text)).toBeUndefined();
  });

  test('sees what had ended by then', () => {
    const moment = at('10:20:10,15');
    expect([9n, 10n, 11n, 15n, 19n, 20n].filter((id) => sees(moment, id))).toEqual([9n, 11n, 19n]);
    expect(seesAllOf(at('15:20:15'), moment)).toBe(true);
    expect(seesAllOf(moment, at('15:20:15'))).toBe(false);
    expect(seesAllOf(at('10:19:10,15'), moment)).toBe(false);
    expect(seesAllOf(moment, moment)).toBe(true);
  });
});

const change = (transaction: bigint): Change => ({
  transaction,
  kind: 'payments',
  ids: [`${transaction}`],
  accounts: [],
});

/** As Postgres does it: transactions get their ids in order, and end in any. */
class Model {
  #next = 100n;
  #highestEnded = 99n;
  #running: bigint[] = [];
  readonly committed: bigint[] = [];

  begin(): void {
    this.#running.push(this.#next++);
  }
  /** One of the running ones; every fourth comes to nothing. */
  end(which: number): void {
    const [id] = this.#running.splice(which % Math.max(this.#running.length, 1), 1);
    if (id === undefined) return;
    if (id % 4n !== 0n) this.committed.push(id);
    if (id > this.#highestEnded) this.#highestEnded = id;
  }
  moment(): Snapshot {
    const xmax = this.#highestEnded + 1n;
    const running = this.#running.filter((id) => id < xmax).toSorted((a, b) => Number(a - b));
    return at(`${running[0] ?? xmax}:${xmax}:${running.join(',')}`);
  }
  between(told: Snapshot, moment: Snapshot): Change[] {
    return this.committed.filter((id) => sees(moment, id) && !sees(told, id)).map(change);
  }
}

test('whoever watches gets each change once, in whichever order they commit and from whichever isolate', () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.constant({ does: 'begin' as const, n: 0 }) },
    { weight: 4, arbitrary: fc.nat(9).map((n) => ({ does: 'end' as const, n })) },
    { weight: 2, arbitrary: fc.nat(1).map((n) => ({ does: 'read' as const, n })) },
    { weight: 2, arbitrary: fc.nat(5).map((n) => ({ does: 'tell' as const, n })) },
    { weight: 1, arbitrary: fc.nat(1).map((n) => ({ does: 'restart' as const, n })) },
  );
  fc.assert(
    fc.property(fc.array(step, { minLength: 40, maxLength: 120 }), (steps) => {
      const model = new Model();
      const feeds = [new Feed(), new Feed()];
      const started = model.moment();
      const watchers = [0, 1, 2].map(() => ({ told: started, got: [] as bigint[] }));
      const read = (feed: Feed) => {
        const moment = model.moment();
        if (feed.tip) feed.add(moment, model.between(feed.tip, moment));
        else feed.begin(moment);
      };
      const tell = (watcher: (typeof watchers)[number], feed: Feed) => {
        const moment = model.moment();
        const news = feed.after(watcher.told) ?? {
          changes: model.between(watcher.told, moment),
          upTo: moment,
        };
        watcher.got.push(...news.changes.map(({ transaction }) => transaction));
        watcher.told = news.upTo;
      };
      for (const { does, n } of steps) {
        const feed = feeds[n % 2] as Feed;
        if (does === 'begin') model.begin();
        if (does === 'end') model.end(n);
        if (does === 'read') read(feed);
        if (does === 'tell') tell(watchers[n >> 1] as (typeof watchers)[number], feed);
        if (does === 'restart') feed.begin(model.moment());
      }
      for (const watcher of watchers) {
        read(feeds[0] as Feed);
        tell(watcher, feeds[0] as Feed);
        expect(watcher.got.toSorted()).toEqual(model.committed.toSorted());
      }
    }),
    { numRuns: 300 },
  );
});

test('what is kept is bounded, and whoever was told less than that is sent away', () => {
  const feed = new Feed();
  feed.begin(at('1:1:'));
  for (let n = 2; n <= 100; n++) feed.add(at(`${n}:${n}:`), [change(BigInt(n - 1))]);
  expect(feed.after(at('1:1:'))).toBeUndefined();
  expect(feed.after(at('50:50:'))?.changes).toHaveLength(50);
  feed.add(
    at('101:101:'),
    Array.from({ length: 6_000 }, () => change(100n)),
  );
  expect(feed.after(at('99:99:'))).toBeUndefined();
  expect(feed.after(at('100:100:'))?.changes).toHaveLength(6_000);
});

describe('a message', () => {
  test('has each thing once, and of the kinds that one may be told of', () => {
    const some: Change[] = [
      { transaction: 1n, kind: 'payments', ids: ['R1', 'R2'], accounts: ['N1'] },
      { transaction: 2n, kind: 'accounts', ids: ['A1'], accounts: ['N1'] },
      { transaction: 3n, kind: 'payments', ids: ['R2'], accounts: ['N1', 'N2'] },
    ];
    const payments = { ids: ['R1', 'R2'], accounts: ['N1', 'N2'] };
    expect(gather(some, ['payments', 'approvals'])).toEqual({ payments });
    expect(gather(some, ['approvals'])).toBeUndefined();
    expect(kindsFor(new Map([['customers:read', 'all']]))).toEqual(['accounts', 'approvals']);
  });

  test('says when they are too many', () => {
    const many = Array.from({ length: 101 }, (_, n) => change(BigInt(n + 1)));
    expect(gather(many, ['payments'])).toEqual({ payments: { ids: null, accounts: [] } });
    const untold: Change = { transaction: 1n, kind: 'payments', ids: null, accounts: null };
    expect(gather([untold, change(2n)], ['payments'])).toEqual({ payments: { ids: null, accounts: null } });
  });
});
