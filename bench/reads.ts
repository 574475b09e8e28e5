// `npm run bench:reads`: what screens read, one request at a time through the driver and the door that the edge uses, among
// ten thousand people and among a million of the same kind, beside the least that a read through that door can be. All
// reads of both take turns, each time about somebody else, so that what disturbs one disturbs them all.

import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openPool, type Pool } from '../containers/database.ts';
import { openNeonDoor } from '../dev/doors/neon.ts';
import { startPostgres } from '../dev/servers/postgres.ts';
import { migrate } from '../drizzle/migrate.ts';
import type { Database } from '../shared/database.ts';
import { readAccounts, readDelinquentAccounts, readSchedule } from '../shared/read/accounts.ts';
import { readConversations } from '../shared/read/conversations.ts';
import { readCustomer } from '../shared/read/customer.ts';
import { readCustomers } from '../shared/read/customers.ts';
import { readOverview } from '../shared/read/overview.ts';
import { pageKeys } from '../shared/read/page.ts';
import { searchCustomers, searchEverything } from '../shared/read/search.ts';
import { readTimeline } from '../shared/read/timeline.ts';
import { countDue } from '../shared/servicing/count-due.ts';
import { seeded } from '../test/seeded.ts';
import { openDatabase } from '../workers/database.ts';
import { percentile } from './load.ts';
import { populate } from './population.ts';

const { values } = parseArgs({
  options: {
    customers: { type: 'string', default: '10000,1000000' },
    requests: { type: 'string', default: '400' },
  },
});
const sizes = values.customers.split(',').map(Number);
const requests = Number(values.requests);
if (!sizes.every((size, n) => Number.isInteger(size) && size >= 10_000 && size > (sizes[n - 1] ?? 0)))
  throw new Error('--customers expects numbers from 10000 on, the smallest first');
if (!(Number.isInteger(requests) && requests >= 20)) throw new Error('--requests expects 20 or more');

const warmUps = 20;
const limit = 50;

/** As a server for a million customers has them: what is read often is in its memory. */
const serverSettings = {
  shared_buffers: '8GB',
  // Neon's door prepares nothing by name, so that every statement is planned anew. A kept plan would be quicker, and only
  // the small database would get one for some statements.
  plan_cache_mode: 'force_custom_plan',
  maintenance_work_mem: '512MB',
  max_wal_size: '16GB',
  checkpoint_timeout: '30min',
};

const folder = mkdtempSync(join(tmpdir(), 'recoup-bench-'));
// Postgres may run as another user, who has to get through to its data.
chmodSync(folder, 0o711);

/** Somebody, and how a hurried hand types their name. */
interface Person {
  n: number;
  name: string;
  typed: string;
}

const swapped = (name: string, at: number) =>
  name.slice(0, at) + name[at + 1] + name[at] + name.slice(at + 2);

async function some(db: Database, size: number, count: number): Promise<Person[]> {
  const chance = seeded(size);
  const numbers = Array.from({ length: count }, () => chance.between(1, size));
  const rows = await db.query<{ id: string; name: string; at: number }>(
    `select customer_id as id, full_name as name, length(first_name) as at from servicing.customers where customer_id = any ($1)`,
    [numbers.map((n) => `C${n}`)],
  );
  const byId = new Map(rows.map((row) => [row.id, row]));
  return numbers.map((n) => {
    const row = byId.get(`C${n}`);
    if (!row) throw new Error(`there is no customer C${n}`);
    // Two letters within the last name.
    return { n, name: row.name, typed: swapped(row.name, row.at + 3) };
  });
}

/** The key of a page in the middle of a list. */
async function middle(
  db: Database,
  [list, part]: [string, 'text' | 'integer' | 'instant'],
  order: string,
  table: string,
  size: number,
) {
  const [row] = await db.query<{ key: string; id: string }>(`${order} from servicing.${table}
    order by 1, 2 offset ${Math.floor(size / 2)} limit 1`);
  if (!row) throw new Error('a list has a middle');
  return pageKeys(list, part, 'text').encode([row.key, row.id]);
}

const pageOf = <T>(answer: { ok: true; value: T } | { ok: false; refusal: string }): T => {
  if (!answer.ok) throw new Error(answer.refusal);
  return answer.value;
};
const full = (rows: readonly unknown[]) => {
  if (rows.length !== limit) throw new Error(`a page has ${rows.length} rows`);
};
interface Read {
  /** False: what was looked for is not among what was found. */
  ask(db: Database, person: Person): Promise<unknown>;
  /** Of ten requests so many ask this. */
  often?: number;
}

async function readsOf(owner: Pool, size: number): Promise<Record<string, Read>> {
  const now = new Date();
  const today = now.toISOString().slice(0, 10);
  const place = { timeZone: 'UTC', currency: 'EUR' };
  const names = await middle(
    owner,
    ['customers by name', 'text'],
    `select servicing.name_key(full_name) collate "C" as key, customer_id collate "C" as id`,
    'customers',
    size,
  );
  const openings = await middle(
    owner,
    ['accounts by openedAt', 'instant'],
    `select to_char(opened_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as key, account_id collate "C" as id`,
    'loan_accounts',
    size,
  );
  const byName = (db: Database, after?: string) =>
    readCustomers(db, { filter: {}, sort: 'name', after, limit }).then((page) => full(pageOf(page).rows));
  const byOpening = (db: Database, after?: string) =>
    readAccounts(db, { filter: { status: 'active' }, sort: 'openedAt', after, limit }).then((page) =>
      full(pageOf(page).rows),
    );
  return {
    'floor: select 1': { ask: (db) => db.query('select 1') },
    'floor: one row by its key': {
      ask: (db, { n }) =>
        db.query('select full_name from servicing.customers where customer_id = $1', [`C${n}`]),
    },
    'single customer view': {
      ask: async (db, { n }) => {
        const customer = await readCustomer(db, `C${n}`, today);
        if (customer?.loans.length !== 1) throw new Error('a customer has a loan');
      },
    },
    timeline: {
      ask: async (db, { n }) => {
        const timeline = pageOf(await readTimeline(db, `C${n}`, { limit, place }));
        if (!timeline?.rows.length) throw new Error('a timeline has entries');
      },
    },
    "a loan's schedule": {
      ask: async (db, { n }) => {
        const schedule = pageOf(await readSchedule(db, `N${n}`, { limit, today }));
        if (!schedule?.rows.length) throw new Error('a loan has instalments');
      },
    },
    'search: a name with a typo': {
      ask: async (db, { n, typed }) =>
        pageOf(await searchCustomers(db, { q: typed, limit: 20 })).some(
          ({ customerId }) => customerId === `C${n}`,
        ),
    },
    'search: a telephone number': {
      ask: async (db, person) => {
        const rows = pageOf(
          await searchCustomers(db, { q: `04 ${String(person.n).padStart(8, '0')}`, limit: 20 }),
        );
        if (rows[0]?.customerId !== `C${person.n}`) throw new Error('a number leads to its customer');
      },
    },
    'search: an account number': {
      ask: async (db, person) => {
        const rows = pageOf(await searchCustomers(db, { q: `N${person.n}`, limit: 20 }));
        if (rows[0]?.customerId !== `C${person.n}`) throw new Error('a loan leads to its customer');
      },
    },
    'search everything: a name': {
      ask: async (db, { name }) => {
        if (pageOf(await searchEverything(db, { q: name, limit: 20 })).length === 0)
          throw new Error('a name is found');
      },
    },
    'customers by name, first page': { ask: (db) => byName(db) },
    'customers by name, middle': { ask: (db) => byName(db, names) },
    'open loans, newest first': { ask: (db) => byOpening(db) },
    'open loans, middle': { ask: (db) => byOpening(db, openings) },
    'late loans, worst first': {
      ask: (db) =>
        readDelinquentAccounts(db, { dpd: 30, limit, today }).then((page) => full(pageOf(page).rows)),
    },
    'conversations, newest first': {
      ask: (db) => readConversations(db, { filter: {}, limit }).then((page) => full(pageOf(page).rows)),
    },
    'figures of the day': {
      ask: (db) => readOverview(db, { day: today, began: new Date(`${today}T00:00:00Z`) }),
      often: 1,
    },
  };
}

interface Measured {
  p50: number;
  p99: number;
  statements: number;
  missed: number;
}

/** The door, with its statements counted. */
function counting(db: Database): { db: Database; count(): number } {
  let statements = 0;
  return {
    db: {
      query: (text, params) => {
        statements += 1;
        return db.query(text, params);
      },
      arrays: (text, params) => {
        statements += 1;
        return db.arrays(text, params);
      },
    },
    count: () => statements,
  };
}

/** One size: its database, who is asked about, and what was measured. */
async function prepare(postgresUrl: string, doorUrl: string, size: number) {
  const url = new URL(postgresUrl);
  url.pathname = `/people_${size}`;
  const first = openPool({ url: postgresUrl, min: 0, max: 1, applicationName: 'bench', timeoutMs: 60_000 });
  await first.query(`create database people_${size}`);
  await first.close();
  await migrate(url.href, () => {});
  const owner = openPool({ url: url.href, min: 0, max: 4, applicationName: 'bench', timeoutMs: 3_600_000 });
  const startedAt = performance.now();
  await populate(owner, size, (table) => process.stderr.write(`${table} `));
  // Warm, as after a day's work.
  await owner.query('create extension if not exists pg_prewarm');
  await owner.query(`select sum(pg_prewarm(c.oid)) from pg_class c
    where relnamespace = 'servicing'::regnamespace and relkind in ('r', 'i')`);
  const countedAt = performance.now();
  await countDue(owner, new Date());
  process.stderr.write(
    `\n${size} customers after ${Math.round((countedAt - startedAt) / 1000)} s; ` +
      `what falls due was counted in ${Math.round(performance.now() - countedAt)} ms\n`,
  );
  const people = await some(owner, size, warmUps + requests);
  const reads = Object.entries(await readsOf(owner, size)).map(([name, read]) => ({
    name,
    read,
    took: [] as number[],
    statements: 0,
    missed: 0,
  }));
  await owner.close();
  const door = openDatabase({ url: url.href, fetchEndpoint: `${doorUrl}/sql`, timeoutMs: 60_000 });
  return { size, people, reads, door };
}
type Prepared = Awaited<ReturnType<typeof prepare>>;

async function ask({ people, reads, door }: Prepared, round: number): Promise<void> {
  const person = people[round];
  if (!person) throw new Error('every round has somebody');
  for (const one of reads) {
    if (round % 10 >= (one.read.often ?? 10)) continue;
    const { db, count } = counting(door);
    const startedAt = performance.now();
    const answer = await one.read.ask(db, person);
    if (round < warmUps) continue;
    one.took.push(performance.now() - startedAt);
    one.statements += count();
    if (answer === false) one.missed += 1;
  }
}

const measured = ({ reads }: Prepared): Record<string, Measured> =>
  Object.fromEntries(
    reads.map(({ name, took, statements, missed }) => [
      name,
      {
        p50: percentile(took, 0.5),
        p99: percentile(took, 0.99),
        statements: statements / took.length,
        missed,
      },
    ]),
  );

const postgres = await startPostgres({
  dataDir: join(folder, 'postgres'),
  logFile: join(folder, 'postgres.log'),
  password: randomBytes(16).toString('hex'),
  settings: serverSettings,
});
const neonDoor = await openNeonDoor({ port: 0 });
try {
  const all: Prepared[] = [];
  for (const size of sizes) all.push(await prepare(postgres.url, neonDoor.url, size));
  for (let round = 0; round < warmUps + requests; round++) for (const one of all) await ask(one, round);
  const smallest = all[0] && measured(all[0]);
  for (const one of all) {
    const results = measured(one);
    const floor = results['floor: select 1']?.p50 ?? Number.NaN;
    console.log(`${one.size} customers`);
    console.table(
      Object.entries(results).map(([what, { p50, p99, statements, missed }]) => ({
        what,
        'p50 ms': p50.toFixed(1),
        'p99 ms': p99.toFixed(1),
        'p99 beyond the door': (p99 - floor).toFixed(1),
        queries: statements.toFixed(0),
        'not found': missed,
        'of the smallest, p50': (p50 / (smallest?.[what]?.p50 ?? Number.NaN)).toFixed(2),
        'of the smallest, p99': (p99 / (smallest?.[what]?.p99 ?? Number.NaN)).toFixed(2),
      })),
    );
  }
} finally {
  await neonDoor.close();
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
}
