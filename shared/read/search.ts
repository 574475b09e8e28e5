// Finding customers, loans, payments, conversations and applications by what somebody has at hand. Exact ids come before
// beginnings, these before names that are alike. Somebody who was several customers is found once, as the survivor; who
// was erased has no name, number or address left to be found by.
//
// Names: the words that are typed are compared with the few words that there are (servicing.name_words), as they stand,
// as beginnings, with one letter wrong, and by trigrams; then names are looked up that have all of the likeliest ones.
// So the time it takes hangs on how many words there are, and hardly on how many people bear them. Words that somebody
// bears together as they stand are taken for what they are, or nearly; only when nobody is found, by trigrams as well.
//
// Who sees people masked finds by names, numbers and addresses only whom they can name whole: a search that also takes
// beginnings, or what is alike, would spell out to them what is masked, letter by letter.
//
// The statement is made of what the text can be, since planning what it cannot be would take longer than finding.

import type { Database } from '../database.ts';
import { ok, type Result, refused } from '../result.ts';
import { type CustomerRow, customerColumns, loansOf } from './customers.ts';

/** In characters. */
export const searchLengths = { shortest: 2, longest: 100 };
const limitMaximum = 100;
/** The score of what begins like the text; a name of which all words do is as near. */
const asBeginning = 0.9;
/** Words of a name beyond these are not looked at. */
const wordsMaximum = 4;

export type SearchRefusal = 'too_short' | 'too_long';

type MatchedBy =
  | 'id'
  | 'accountNumber'
  | 'paymentReference'
  | 'applicationNumber'
  | 'phone'
  | 'email'
  | 'name';

/** How near: an exact id, a beginning (or the end of a telephone number), or a name with its likeness up to 1. */
interface Found {
  match: 'exact' | 'beginning' | 'alike';
  matchedBy: MatchedBy;
  score: number;
}

export type CustomerFound = CustomerRow & Found;

export type ThingKind = 'customer' | 'account' | 'payment' | 'conversation' | 'application';

export interface ThingFound extends Found {
  kind: ThingKind;
  id: string;
  /** How people call it: an account's number, a payment's reference; null of customers. */
  number: string | null;
  status: string | null;
  /** Whose it is, as far as is known; of a loan with several borrowers its first. */
  customerId: string | null;
  fullName: string | null;
}

/** What a text may be, as parameters of the statement. */
interface Asked {
  text: string;
  /** The words that somebody may be called. */
  names: string[];
  digits: string;
  isEmail: boolean;
  isPhone: boolean;
  /** Something with a digit, or a single word. */
  isId: boolean;
}

/** As servicing.name_words_of has it. */
function wordsOf(text: string): string[] {
  const plain = text
    .normalize('NFD')
    .replace(/[\u0300-\u036f'’`´]/g, '')
    .replace(/[ßæØøŁłĐđı]/g, (letter) => sameLetters[letter] ?? letter)
    .toLowerCase();
  return [...new Set(plain.split(/[\s.,;:/()_-]+/).filter((word) => word !== ''))].map((word) =>
    word.slice(0, 40),
  );
}
const sameLetters: Record<string, string> = {
  ...{ ß: 'ss', æ: 'ae', Ø: 'o', ø: 'o', Ł: 'l', ł: 'l', Đ: 'D', đ: 'd', ı: 'i' },
};

function readText(q: string): Result<Asked, SearchRefusal> {
  // Postgres keeps no zero character.
  const text = q.replaceAll('\0', '').trim();
  if ([...text].length < searchLengths.shortest) return refused('too_short');
  if (text.length > searchLengths.longest) return refused('too_long');
  const digits = text.replace(/\D/g, '').replace(/^0+/, '');
  const isEmail = text.includes('@');
  return ok({
    text,
    digits,
    // Nobody is called by a digit.
    names: isEmail ? [] : wordsOf(text).filter((word) => /\p{L}/u.test(word) && !/\d/.test(word)),
    isEmail,
    isPhone: digits.length >= 4 && /^[\d\s()+./-]+$/.test(text),
    isId: !/\s/.test(text),
  });
}

/** Parameters by number; the same value is one parameter. */
function parameters() {
  const values: unknown[] = [];
  return {
    values,
    text: (value: string) => `$${values.push(value)}::text`,
    texts: (value: readonly string[]) => `$${values.push(value)}::text[]`,
    number: (value: number) => `$${values.push(value)}::int`,
  };
}
type Parameters = ReturnType<typeof parameters>;

/** SQL: whether the column begins with the text, by an index over its bytes. Not by `like`, which a plan that is made for
 * whatever may be asked reads the whole table for. */
const begins = (column: string, parameter: string) =>
  `${column} ~>=~ ${parameter} and ${column} ~<~ (${parameter} || chr(1114111))`;
/** Ids are told in whatever letters. */
const spellings = (text: string) => [...new Set([text, text.toUpperCase(), text.toLowerCase()])];

/** What is compared by trigrams, with the more words the more there are: what is not known, or everything. */
type Reach = 'unknown' | 'all';

/** SQL: the likeliest words for a typed one, each with its score. Every way of looking is an index's. */
const likeWords = (word: string, isShort: boolean, reach: Reach) => `
  select word collate "default" as word, max(score) as score from (
    select word, 1.0::real as score from servicing.name_words where word = ${word}
    union all (
      select word, ${asBeginning} from servicing.name_words
      where word collate "C" >= ${word} and word collate "C" < ${word} || chr(1114111) order by word limit 8)
    ${
      isShort
        ? ''
        : `union all (
      select word, greatest(0.75, similarity(word, ${word})) from servicing.name_words
      where servicing.near_keys(word) && servicing.near_keys(${word}) order by 2 desc, 1 limit 8)
    union all (
      select word, similarity(word, ${word}) from servicing.name_words where word % ${word}
        ${reach === 'all' ? '' : `and not exists (select from known where ${word} = any (words))`}
      order by 2 desc, 1 limit 8)`
    }
  ) alike group by alike.word order by score desc, alike.word limit 8`;

/** SQL: a CTE of the typed words that are in names as they stand, if somebody bears them all. */
const known = (words: string) => `known as materialized (
  select words from (select array_agg(word collate "default") as words from servicing.name_words
    where word = any (${words}) having count(*) > 0) typed
  where case cardinality(words) when 1 then true
    else exists (select from servicing.customers where servicing.name_words_of(full_name) @> words) end)`;

/**
 * SQL: rows (customer_id, rank, score, by) of those whose name has the likeliest words. Combinations are tried from the
 * likeliest on, until there are enough.
 */
function namesLike(
  words: readonly string[],
  limit: string,
  p: Parameters,
  reach: Reach,
): { ctes: string[]; rows: string } {
  const likes = words.map(
    (word, n) => `like${n} as materialized (${likeWords(p.text(word), word.length < 4, reach)})`,
  );
  // Of three words and more one may be something that nobody is called.
  const some = (n: number) =>
    words.length < 3 ? `like${n}` : `(select * from like${n} union all select null, 0) like${n}`;
  const together = words.map((_, n) => `like${n}.word`).join(', ');
  const score = words.map((_, n) => `like${n}.score`).join(' + ');
  const meant = words.map((_, n) => `(like${n}.word is not null)::int`).join(' + ');
  return {
    ctes: [
      ...(reach === 'all' ? [] : [known(p.texts(words))]),
      ...likes,
      `choice as materialized (
        select array_remove(array[${together}], null) as words, (${score}) / ${words.length} as score
        from ${words.map((_, n) => some(n)).join(' cross join ')}
        where ${meant} >= ${Math.max(1, words.length - 1)} order by score desc, 1 limit 24)`,
      `named as materialized (
        select c.customer_id, choice.score from choice cross join lateral (
          select customer_id from servicing.customers where servicing.name_words_of(full_name) @> choice.words limit ${limit}
        ) c limit 2 * ${limit})`,
    ],
    rows: `select customer_id, case when score >= ${asBeginning}::real then 2 else 3 end, score, 'name' from named`,
  };
}

/** SQL: rows (customer_id, rank, score, by) of those whose name has these words and no others. */
const namedJustSo = (words: string, limit: string) =>
  `(select customer_id, 1, 1::real, 'name' from servicing.customers
    where servicing.name_words_of(full_name) @> ${words} and servicing.name_words_of(full_name) <@ ${words} limit ${limit})`;

/** SQL: rows of customers whose the loans with these numbers are. */
const borrowersOf = (accounts: string, rank: string, by: MatchedBy) => `
  select b.customer_id, ${rank}, 1::real, '${by}' from (${accounts}) a join servicing.loan_borrowers b using (account_id)`;

/**
 * SQL: CTEs, and the rows (customer_id, rank, score, by) of customers that the text means or may mean; those whose loan or
 * payment it means only when they `belong`. `whole`: of what names people, only whom it names whole.
 */
function customerRows(
  asked: Asked,
  limit: string,
  p: Parameters,
  { belong, whole, reach }: { belong: boolean; whole: boolean; reach: Reach },
): { ctes: string[]; rows: string[] } {
  const ctes: string[] = [];
  const rows: string[] = [];
  if (asked.isId) {
    const ids = p.texts(spellings(asked.text));
    rows.push(
      `(select substr(target, 10) as customer_id, 1 as rank, 1::real as score, 'id' as by from servicing.identifiers
        where value = any (${ids}) and target like 'customer:%' limit ${limit})`,
    );
    if (belong) {
      rows.push(
        `(${borrowersOf(
          `select substr(target, 9) as account_id from servicing.identifiers
         where value = any (${ids}) and target like 'account:%' limit ${limit}`,
          '1',
          'accountNumber',
        )} limit ${limit})`,
        `(${borrowersOf(
          `select substr(i.target, 9) as account_id from servicing.received_payments r
         join servicing.identifiers i on i.value = r.loan_account_number and i.target like 'account:%'
         where r.reference_number = any (${ids}) limit ${limit}`,
          '1',
          'paymentReference',
        )} limit ${limit})`,
      );
    }
    if (asked.text.length >= 3 && !asked.isEmail) {
      const beginning = p.text(asked.text);
      rows.push(
        `(select customer_id, 2, ${asBeginning}::real, 'id' from servicing.customers where ${begins('customer_id', beginning)} limit ${limit})`,
      );
      if (belong) {
        const loans = `select account_id from servicing.loan_accounts where ${begins('account_number', beginning)} limit ${limit}`;
        rows.push(`(${borrowersOf(loans, '2', 'accountNumber')} limit ${limit})`);
      }
    }
    if (asked.text.length >= 3) {
      const email = p.text(asked.text.toLowerCase());
      rows.push(
        `(select customer_id, case lower(email_address) when ${email} then 1 else 2 end, ${asBeginning}::real, 'email'
          from servicing.customers
          where ${whole ? `lower(email_address) = ${email}` : begins('lower(email_address)', email)}
          limit ${limit})`,
      );
    }
  }
  if (asked.isPhone) {
    // The end of it; what is before may be spelled in several ways, of which one is the end of the other.
    const end = [...asked.digits.slice(-7)].reverse().join('');
    const all = p.text(asked.digits);
    const theirs = `ltrim(phone_digits, '0')`;
    rows.push(
      `(select customer_id, case ${theirs} when ${all} then 1 else 2 end, 1::real, 'phone' from servicing.customers
        where ${begins('reverse(phone_digits)', p.text(end))}
          and ${
            whole
              ? `${theirs} = ${all}`
              : `(right(${theirs}, length(${all})) = ${all} or right(${all}, length(${theirs})) = ${theirs})`
          } limit ${limit})`,
    );
  }
  if (asked.names.length > 0 && whole) rows.push(namedJustSo(p.texts(asked.names), limit));
  else if (asked.names.length > 0) {
    const named = namesLike(asked.names.slice(0, wordsMaximum), limit, p, reach);
    ctes.push(...named.ctes);
    rows.push(named.rows);
  }
  return { ctes, rows };
}

interface Nearness {
  rank: number;
  score: number;
  by: MatchedBy;
}

const matches = ['exact', 'beginning', 'alike'] as const;
const matched = ({ rank, score, by }: Nearness): Found => ({
  match: matches[rank - 1] ?? 'alike',
  matchedBy: by,
  score: Math.round(score * 100) / 100,
});

/** SQL: rows of `found` with each customer once, as the survivor, by the best that was found of them. */
const survivors = `
  select distinct on (id) id, rank, score, by from (
    select case when c.merged_into is null then f.customer_id else servicing.surviving_customer(f.customer_id) end as id, f.*
    from found f left join servicing.customers c using (customer_id)
  ) resolved order by id, rank, score desc, by`;

export interface Asking {
  q: string;
  /** 1 to 100. */
  limit: number;
  /** For somebody who sees people masked. */
  masked?: boolean;
}

/** Looks for names once more when nothing is found: known words may have been meant for others. */
async function lookTwice<T>(
  asked: Asked,
  wantsAlike: boolean,
  look: (reach: Reach) => Promise<T[]>,
): Promise<T[]> {
  const found = await look('unknown');
  return found.length === 0 && wantsAlike && asked.names.length > 1 ? look('all') : found;
}

/** Customers, best first. */
export async function searchCustomers(
  db: Database,
  { q, limit, masked = false }: Asking,
): Promise<Result<CustomerFound[], SearchRefusal>> {
  const asked = readText(q);
  if (!asked.ok) return asked;
  const found = await lookTwice(asked.value, !masked, (reach) => {
    const p = parameters();
    const most = p.number(Math.min(limit, limitMaximum));
    const { ctes, rows } = customerRows(asked.value, most, p, { belong: true, whole: masked, reach });
    if (rows.length === 0) return Promise.resolve([]);
    return db.query<Omit<CustomerFound, keyof Found> & Nearness>(
      `with ${[...ctes, `found (customer_id, rank, score, by) as materialized (${rows.join('\nunion all ')})`].join(',\n')},
       best as materialized (select * from (${survivors}) s order by rank, score desc, id limit ${most})
       select ${customerColumns('b.id', 'c')}, b.rank, b.score::float8 as score, b.by
       from best b left join servicing.customers c on c.customer_id = b.id ${loansOf('b.id')}
       order by b.rank, b.score desc, b.id`,
      p.values,
    );
  });
  return ok(
    found.map(({ rank, score, by, ...customer }) => ({ ...customer, ...matched({ rank, score, by }) })),
  );
}

/** SQL: rows (kind, id, number, status, customer_id, account_id, rank, by) of a table, by its ids and by their beginning. */
function thingRows(asked: Asked, limit: string, p: Parameters): string[] {
  if (!asked.isId || asked.isEmail) return [];
  const ids = p.texts(spellings(asked.text));
  const beginning = asked.text.length >= 3 ? p.text(asked.text) : undefined;
  const things = (
    kind: ThingKind,
    by: MatchedBy,
    column: string,
    { select, from }: { select: string; from: string },
  ) => [
    `(select '${kind}', ${select}, 1, '${by}' from ${from} where ${column} = any (${ids}) limit ${limit})`,
    ...(beginning === undefined
      ? []
      : [
          `(select '${kind}', ${select}, 2, '${by}' from ${from}
            where ${begins(column, beginning)} and ${column} <> all (${ids}) limit ${limit})`,
        ]),
  ];
  const account = {
    select: 'account_id, account_number, status, customer_id, account_id',
    from: 'servicing.loan_accounts',
  };
  return [
    `(select 'account', ${account.select}, 1, 'id' from ${account.from} where account_id = any (${ids}) limit ${limit})`,
    ...things('account', 'accountNumber', 'account_number', account),
    ...things('payment', 'paymentReference', 'reference_number', {
      select: `payment_id, reference_number, case when reversed >= amount then 'reversed' when reversed > 0
        then 'partially_reversed' else 'received' end, null,
        (select substr(i.target, 9) from servicing.identifiers i where i.value = loan_account_number
         and i.target like 'account:%' order by i.version collate "C" desc limit 1)`,
      from: 'servicing.received_payments',
    }),
    // Those of which our log has not told yet.
    `(select 'payment', p.id::text, p.reference_number, 'received', null,
        (select substr(i.target, 9) from servicing.identifiers i where i.value = p.loan_account_number
         and i.target like 'account:%' order by i.version collate "C" desc limit 1), 1, 'paymentReference'
      from payment_service.payments p where p.reference_number = any (${ids})
        and not exists (select from servicing.received_payments r where r.payment_id = p.id::text) limit ${limit})`,
    ...things('conversation', 'id', 'conversation_id', {
      select: 'conversation_id, null, status, customer_id, account_id',
      from: 'servicing.conversations',
    }),
    ...things('application', 'applicationNumber', 'application_number', {
      select: 'application_number, application_number, status, customer_id, account_id',
      from: 'servicing.applications',
    }),
  ];
}

/** Everything, or all of a kind, best first; of what is as near, customers first. */
export async function searchEverything(
  db: Database,
  { q, limit, masked = false, kind }: Asking & { kind?: ThingKind },
): Promise<Result<ThingFound[], SearchRefusal>> {
  const asked = readText(q);
  if (!asked.ok) return asked;
  const wantsAlike = !masked && (kind === undefined || kind === 'customer');
  const rows = await lookTwice(asked.value, wantsAlike, (reach) => {
    const p = parameters();
    const most = p.number(Math.min(limit, limitMaximum));
    const customers = customerRows(asked.value, most, p, { belong: false, whole: masked, reach });
    const things = thingRows(asked.value, most, p);
    if (customers.rows.length + things.length === 0) return Promise.resolve([]);
    const columns = 'kind, id, number, status, customer_id, account_id, rank, score, by';
    const ctes = [
      ...customers.ctes,
      `found (customer_id, rank, score, by) as materialized (${
        customers.rows.length > 0
          ? customers.rows.join('\nunion all ')
          : 'select null::text, 0, 0::real, null::text where false'
      })`,
      ...(things.length > 0
        ? [
            `thing (kind, id, number, status, customer_id, account_id, rank, by) as materialized (${things.join('\nunion all ')})`,
          ]
        : []),
      `every as (
         select 'customer' as kind, id, null as number, null as status, id as customer_id, null as account_id, rank, score, by
         from (${survivors}) s
         ${things.length > 0 ? `union all select kind, id, number, status, customer_id, account_id, rank, 1, by from thing` : ''})`,
      `best as materialized (select ${columns} from (
         select distinct on (kind, id) * from every ${kind === undefined ? '' : `where kind = ${p.text(kind)}`} order by kind, id, rank, score desc) one
         order by rank, score desc, kind <> 'customer', kind, id limit ${most})`,
    ];
    return db.query<Omit<ThingFound, keyof Found> & Nearness>(
      `with ${ctes.join(',\n')}
       select b.kind, b.id, b.number, b.status, w.id as "customerId", c.full_name as "fullName", b.rank,
         b.score::float8 as score, b.by
       from best b
       cross join lateral (select coalesce(b.customer_id, (
         select customer_id from servicing.loan_borrowers where account_id = b.account_id
         order by role <> 'borrower', customer_id limit 1)) as id offset 0) own
       left join servicing.customers o on o.customer_id = own.id
       cross join lateral (
         select case when o.merged_into is null then own.id else servicing.surviving_customer(own.id) end as id offset 0) w
       left join servicing.customers c on c.customer_id = w.id
       order by b.rank, b.score desc, b.kind <> 'customer', b.kind, b.id`,
      p.values,
    );
  });
  return ok(rows.map(({ rank, score, by, ...thing }) => ({ ...thing, ...matched({ rank, score, by }) })));
}
