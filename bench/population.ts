// People who do not exist, as many as are wanted, written straight into what events are folded into: names as unevenly
// spread as real ones, each person with a loan, its schedule and payments, some with conversations and cases. What there
// is of each person is the same however many there are. For measuring how screens read; nothing else may be in there.

import type { Database } from '../shared/database.ts';

/** Instalments of a loan, a month apart; the first half of them lies before today. */
const instalments = 6;
const words = (count: number, from: string, most: number) => `
  select row_number() over (order by n) as i, word from (
    select word, min(n) as n from (
      select n, ${from} as word from generate_series(1, ${count}) n
    ) made group by word order by 2 limit ${most}) first_made`;
const pick = (list: string) =>
  `(array[${list
    .split(' ')
    .map((one) => `'${one}'`)
    .join(', ')}])`;
const beginnings = pick(
  'ba ber bon cal car ches dan del dor el er fal fen gar gil gor hal ham hen in jo kar kel kow lan len lo mac mar mon mor na nor o pa per pol ra ric ros san sel smi ste ta thor tim ul van ver wal wes wil yam zel',
);
const endings = pick(
  'son ton ski er ley man th ham berg ez ini ova sen ard well ford wood ing a i u ia elle us',
);
const any = (list: string, seed: string) =>
  `${list}[1 + abs(hashint8(n * 31 + ${seed})) % cardinality(${list})]`;
const firstName = `${any(beginnings, '1')} || ${any(endings, '2')}`;
const lastName = `${any(beginnings, '3')} || ${any(beginnings, '4')} || ${any(endings, '5')}`;

/** A number from 1 to `most` that is the same for the same n; small ones are many times as likely. */
const uneven = (seed: number, most: string) =>
  `1 + floor(${most} * power((hashint8(n * 17 + ${seed})::bigint + 2147483648) / 4294967296.0, 3))::int`;

const statements = (from: number, to: number): Array<[table: string, rows: string]> => {
  const every = `generate_series(${from}, ${to}) n`;
  return [
    [
      `customers (customer_id, state, first_name, last_name, full_name, email_address, mobile_phone_number, phone_digits,
         date_of_birth, verified, told_at, residential_address)`,
      `select 'C' || n, '{}', first, last, first || ' ' || last, lower(first || '.' || last || n || '@example.com'),
         '+9994' || lpad(n::text, 8, '0'), '9994' || lpad(n::text, 8, '0'),
         ('1950-01-01'::date + n % 18000)::text, n % 3 > 0, now() - make_interval(mins => n),
         '{"suburb": "Mistwood", "country": "AU"}'
       from (select n, initcap(f.word) as first, initcap(l.word) as last from
         (select n, ${uneven(1, '(select count(*) from bench.first)')} as f, ${uneven(2, '(select count(*) from bench.last)')} as l
          from ${every}) chosen join bench.first f on f.i = chosen.f join bench.last l on l.i = chosen.l) people`,
    ],
    [
      'identifiers (target, kind, value, version)',
      `select name.* from ${every} cross join lateral (values
         ('customer:C' || n, 'customer_id', 'C' || n, ''), ('customer:C' || n, 'cif', 'F' || n, ' e'),
         ('account:A' || n, 'account_id', 'A' || n, ''), ('account:A' || n, 'account_number', 'N' || n, ' e')) name`,
    ],
    [
      `loan_accounts (account_id, state, account_number, customer_id, application_number, status, currency, loan_amount,
         current_balance, opened_at, days_past_due, aging_bucket, arrears_amount)`,
      `select 'A' || n, '{}', 'N' || n, 'C' || n, 'AP' || n,
         case when n % 4 = 1 then 'paid_off' when n % 100 = 2 then 'written_off' else 'active' end,
         case when n % 10 = 0 then 'USD' else 'EUR' end, 1000 + n % 9000, 500 + n % 4000,
         now() - make_interval(mins => n * 3), days, null, case when days > 0 then 10 + n % 300 else 0 end
       from (select n, case when n % 7 = 3 then ${uneven(3, '120')} else 0 end as days from ${every}) every`,
    ],
    ['loan_borrowers (account_id, customer_id, role)', `select 'A' || n, 'C' || n, 'borrower' from ${every}`],
    [
      'repayment_schedules (schedule_id, state, account_id, currency, n_payments, version)',
      `select 'S' || n, '{}', 'A' || n, case when n % 10 = 0 then 'USD' else 'EUR' end, ${instalments}, ' ' || n from ${every}`,
    ],
    [
      'instalments (schedule_id, payment_number, due_on, amount, status)',
      `select 'S' || n, p, current_date + (30 * (p - ${instalments / 2}) - n % 30), 50, case when p < 3 then 'paid' end
       from ${every}, generate_series(1, ${instalments}) p`,
    ],
    [
      'account_payments (payment_key, state, account_id, status, currency, amount, scheduled_on)',
      `select 'K' || n, '{}', 'A' || n, 'scheduled', 'EUR', 50, current_date + n % 60 from ${every}`,
    ],
    [
      'received_payments (payment_id, state, loan_account_number, reference_number, currency, amount, reversed, paid_at)',
      `select 'P' || n || '-' || p, '{}', 'N' || n, 'REF-' || n || '-' || p, 'EUR', 50, 0, now() - make_interval(days => 30 * p)
       from ${every}, generate_series(1, 2) p`,
    ],
    [
      'applications (application_number, state, customer_id, account_id, status)',
      `select 'AP' || n, '{}', 'C' || n, 'A' || n, 'decided' from ${every}`,
    ],
    [
      'conversations (conversation_id, state, customer_id, status, channel, started_at)',
      `select 'V' || n, '{}', 'C' || n, case when n % 2 = 0 then 'open' else 'decided' end, 'web', now() - make_interval(mins => n)
       from ${every} where n % 2 = 0`,
    ],
    [
      'conversation_entries (conversation_id, event_id, kind, version, author, content)',
      `select 'V' || n, 'v' || n || '-' || p, 'utterance', '2026-01-01 v' || n || '-' || p, 'customer', 'hello'
       from ${every}, generate_series(1, 4) p where n % 2 = 0`,
    ],
    [
      'notifications (notification_id, state, customer_id, channel, status, sent_at)',
      `select 'T' || n, '{}', 'C' || n, 'sms', 'sent', now() - make_interval(mins => n) from ${every}`,
    ],
    [
      'statements (statement_id, state, account_id)',
      `select 'ST' || n, '{}', 'A' || n from ${every} where n % 4 = 0`,
    ],
    [
      'approvals (request_id, state, account_id, kind, status)',
      `select 'W' || n, '{}', 'A' || n, 'writeoff', 'requested' from ${every} where n % 50 = 0`,
    ],
    [
      'collection_cases (case_id, state, account_id, status, stop_contact)',
      `select 'CC' || n, '{}', 'A' || n, 'open', n % 100 = 3 from ${every} where n % 7 = 3`,
    ],
    [
      'events (event_id, type, aggregate, related, subject, version, occurred_at, source, facts)',
      `select 'e' || n || '-' || p, what.type, what.aggregate, what.related, 'customer:C' || n, '2026-01-0' || p || ' e' || n,
         now() - make_interval(days => 9 - p), 'bench', '{"payload": {}}'
       from ${every}, lateral (values
         (1, 'customer.created.v1', 'customer:C' || n, null::text[]),
         (2, 'account.created.v1', 'account:A' || n, array['customer:C' || n]),
         (3, 'notification.sent.v1', 'notification:T' || n, null)) what (p, type, aggregate, related)`,
    ],
  ];
};

/** Takes the indexes of plain tables away, which many rows fill faster when they are made of all at once; gives them back. */
async function withoutIndexes(db: Database, fill: () => Promise<void>): Promise<void> {
  const indexes = await db.query<{ name: string; definition: string }>(
    `select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as definition
     from pg_index i join pg_class t on t.oid = i.indrelid
     where t.relnamespace = 'servicing'::regnamespace and t.relkind = 'r' and not t.relispartition
       and not exists (select from pg_constraint c where c.conindid = i.indexrelid) and t.relname <> 'name_words'`,
  );
  await db.query(`drop index ${indexes.map(({ name }) => name).join(', ')}`);
  await fill();
  for (const { definition } of indexes) await db.query(definition);
}

/** Fills an empty database with so many people; `db` owns the tables. */
export async function populate(db: Database, people: number, report: (table: string) => void): Promise<void> {
  await db.query('create schema bench');
  await db.query(`create table bench.first as ${words(20_000, firstName, 1_200)}`);
  await db.query(`create table bench.last as ${words(200_000, lastName, 30_000)}`);
  await withoutIndexes(db, async () => {
    for (const [table, rows] of statements(1, people)) {
      report(table.split(' ')[0] ?? table);
      await db.query(`insert into servicing.${table} ${rows}`);
    }
    report('indexes');
  });
  // Payments of today, as the log of payments has them; a loan in a hundred pays.
  await db.query(
    `insert into payment_service.payments (id, namespace, reference_number, loan_account_number, cif, amount, currency,
       payment_date, paid_on, payment_channel, source, event_id, actor)
     select gen_random_uuid(), 'default', 'TODAY-' || n, 'N' || n, 'F' || n, 50, 'EUR', now(), current_date,
       (array['bank', 'card', 'cash'])[1 + n % 3], 'webhook', gen_random_uuid(), 'channel:bank'
     from generate_series(1, $1::int) n where n % 100 = 0`,
    [people],
  );
  await db.query('vacuum (analyze)');
}
