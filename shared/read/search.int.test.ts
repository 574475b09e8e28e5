import { beforeAll, describe, expect, test } from 'vitest';
import { openVault } from '../../containers/projector/vault.ts';
import type { Database } from '../database.ts';
import { eraseCustomer } from '../servicing/erase-customer.ts';
import { foldBatch } from '../servicing/fold-batch.ts';
import { event, incoming, rules } from '../servicing/testing.ts';
import { searchCustomers, searchEverything } from './search.ts';
import { recorded, useProjections } from './testing.ts';

const projections = useProjections();
const { fold } = projections;

const person = (
  id: string,
  first: string | undefined,
  last: string | undefined,
  more: Record<string, unknown> = {},
) => event('customer.created.v1', { customer_id: id, first_name: first, last_name: last, ...more });

beforeAll(async () => {
  await fold(
    person('C1', 'Jonathan', 'Smith', {
      email_address: 'Jon.Smith@example.com',
      mobile_phone_number: '+49 (170) 123-4567',
      cif: 'F-100',
    }),
    person('C2', 'Zoë', "O'Brien-Łukasz", { mobile_phone_number: '0044 20 7946 0000' }),
    person('C3', 'Maria', 'Smithers', { email_address: 'maria@example.org' }),
    person('C4', 'Old', 'Shellman'),
    person('C5', 'Anna Maria', 'Petrakis'),
    event('customer.identity.merged.v1', { surviving_customer_id: 'C5', merged_customer_id: 'C4' }),
    event('account.created.v1', {
      account_id: 'A1',
      account_number: 'LN-7001',
      customer_id: 'C1',
      status: 'ACTIVE',
    }),
    event('loan.aging.updated.v1', { account_id: 'A1', days_past_due: 14 }),
    event('account.created.v1', { account_id: 'A2', account_number: 'LN-7002', customer_id: 'C4' }),
    recorded('11111111-1111-4111-8111-111111111111', 'LN-7001', '20.00', { reference_number: 'BANK-1' }),
    event('conversation_started', {}, { conversation_id: 'TALK-1', user_id: 'C3' }),
    event('application.submitted.v1', { application_number: 'APP-1', customer_id: 'C4' }),
  );
});

const found = async (q: string, db: Database = projections.api) => {
  const answer = await searchCustomers(db, { q, limit: 20 });
  if (!answer.ok) throw new Error(answer.refusal);
  return answer.value;
};
const ids = async (q: string) => (await found(q)).map(({ customerId }) => customerId);

describe('customers', () => {
  test.each([
    ['as it is written', 'Jonathan Smith'],
    ['in another order and case', 'SMITH jonathan'],
    ['with two letters in each other’s place', 'jonathan smtih'],
    ['with a letter too few', 'jonatan smith'],
    ['with a letter too many', 'jonathan smiith'],
    ['with another letter', 'jonathan smyth'],
    ['as a beginning', 'jonat smi'],
    ['with a word that nobody is called', 'jonathan smith xyzzy'],
  ])('are found by a name %s', async (_, q) => {
    expect((await found(q))[0]).toMatchObject({ customerId: 'C1', matchedBy: 'name' });
  });

  test.each(['zoe obrien', 'Zoë O’Brien', 'zoe lukasz', 'ZOE O´BRIEN LUKASZ'])(
    'are found by a name without its accents: %s',
    async (q) => {
      expect((await ids(q))[0]).toBe('C2');
    },
  );

  test('the name that is nearest is first', async () => {
    expect(await found('smith')).toMatchObject([
      { customerId: 'C1', match: 'beginning', score: 1 },
      { customerId: 'C3', match: 'beginning', score: 0.9 },
    ]);
    expect(await found('smiht')).toMatchObject([{ customerId: 'C1', match: 'alike' }]);
  });

  test('words that are names, but nobody’s together, are compared with all names', async () => {
    await fold(person('L1', 'Ingrid', 'Lindgren'), person('L2', 'Otto', 'Lindgrund'));
    expect(await found('ingrid lindgrund')).toMatchObject([{ customerId: 'L1', match: 'alike' }]);
    await fold(person('L3', 'Ingrid', 'Lindgrund'));
    expect(await found('ingrid lindgrund')).toMatchObject([
      { customerId: 'L3', match: 'beginning', score: 1 },
    ]);
    // Each is known, and one is wrong all the same.
    expect((await ids('ottto lindgren'))[0]).toBe('L2');
  });

  test('of words that are known, others are still found that are nearly the same', async () => {
    await fold(
      person('N1', 'Karin', 'Hansen'),
      person('N2', 'Karin', 'Hanssen'),
      person('N3', 'Karina', 'Hansens'),
    );
    expect((await ids('karin hansen')).toSorted()).toEqual(['N1', 'N2', 'N3']);
    expect((await ids('karin hansen'))[0]).toBe('N1');
  });

  test.each(['+491701234567', '0170 1234567', '0049 170 123 45 67', '4567', '123-4567'])(
    'are found by a telephone number: %s',
    async (q) => {
      expect(await found(q)).toMatchObject([{ customerId: 'C1', matchedBy: 'phone' }]);
    },
  );

  test('are not found by the end of another number', async () => {
    expect(await ids('+39 170 1234567')).toEqual([]);
    expect(await ids('(030) 9999')).toEqual([]);
  });

  test.each([
    ['jon.smith@example.com', { customerId: 'C1', match: 'exact', matchedBy: 'email' }],
    ['JON.S', { customerId: 'C1', match: 'beginning', matchedBy: 'email' }],
    ['maria@', { customerId: 'C3', match: 'beginning', matchedBy: 'email' }],
    ['c1', { customerId: 'C1', match: 'exact', matchedBy: 'id' }],
    ['f-100', { customerId: 'C1', match: 'exact', matchedBy: 'id' }],
    ['LN-7001', { customerId: 'C1', match: 'exact', matchedBy: 'accountNumber' }],
    ['LN-7002', { customerId: 'C5', match: 'exact', matchedBy: 'accountNumber' }],
    ['BANK-1', { customerId: 'C1', match: 'exact', matchedBy: 'paymentReference' }],
  ])('are found by what belongs to them: %s', async (q, expected) => {
    expect((await found(q))[0]).toMatchObject(expected);
  });

  test('come with what tells them apart', async () => {
    expect(await found('Jonathan Smith')).toEqual([
      {
        customerId: 'C1',
        cif: 'F-100',
        fullName: 'Jonathan Smith',
        emailAddress: 'Jon.Smith@example.com',
        mobilePhoneNumber: '+49 (170) 123-4567',
        dateOfBirth: null,
        verified: false,
        toldAt: null,
        loans: 1,
        daysPastDue: 14,
        match: 'beginning',
        matchedBy: 'name',
        score: 1,
      },
    ]);
  });

  test('who was several is found once, as the survivor', async () => {
    expect(await found('shellman')).toMatchObject([{ customerId: 'C5', fullName: 'Anna Maria Petrakis' }]);
    expect(await ids('LN-700')).toEqual(['C1', 'C5']);
    expect(await ids('C4')).toEqual(['C5']);
  });

  test('one statement answers, and another one only for a name that nobody is found by', async () => {
    let statements = 0;
    const counted: Database = {
      query: (text, params) => {
        statements += 1;
        return projections.api.query(text, params);
      },
      arrays: (text, params) => projections.api.arrays(text, params),
    };
    await found('jonathan smiht', counted);
    await searchEverything(counted, { q: '0170 1234567', limit: 10 });
    expect(statements).toBe(2);
    await found('jonathan xyzzy', counted);
    expect(statements).toBe(4);
  });

  test.each([
    ['', 'too_short'],
    [' a ', 'too_short'],
    ['x'.repeat(101), 'too_long'],
  ])('a text of another length is refused: %#', async (q, refusal) => {
    expect(await searchCustomers(projections.api, { q, limit: 5 })).toEqual({ ok: false, refusal });
    expect(await searchEverything(projections.api, { q, limit: 5 })).toEqual({ ok: false, refusal });
  });

  test.each([
    "'; drop table servicing.customers; --",
    '%%%',
    '___',
    '\\\\',
    '{}{}',
    '""',
    'a\0b',
    '💥💥',
    '\ud800x',
    '()()',
  ])('nothing that is typed is more than a text: %s', async (q) => {
    expect(await ids(q)).toEqual([]);
    expect(await searchEverything(projections.api, { q, limit: 5 })).toEqual({ ok: true, value: [] });
  });
});

describe('for somebody who sees people masked', () => {
  const masked = async (q: string) => {
    const [customers, things] = [
      await searchCustomers(projections.api, { q, limit: 20, masked: true }),
      await searchEverything(projections.api, { q, limit: 20, masked: true }),
    ];
    if (!customers.ok || !things.ok) throw new Error('refused');
    const ids = customers.value.map(({ customerId }) => customerId);
    expect(things.value.filter(({ kind }) => kind === 'customer').map(({ id }) => id)).toEqual(ids);
    return ids;
  };

  test.each(['smith JONATHAN', 'jon.smith@example.com', '+49 170 1234567', 'c1', 'F-100'])(
    'whom the text names whole is found: %s',
    async (q) => {
      expect(await masked(q)).toEqual(['C1']);
    },
  );

  test.each(['smith', 'jonatha smith', 'jonathan', 'jon.smith@example.co', 'jon', '4567', '170 1234567'])(
    'nobody is found by a part of what is masked: %s',
    async (q) => {
      expect(await masked(q)).toEqual([]);
    },
  );
});

describe('everything', () => {
  const first = async (q: string) => {
    const answer = await searchEverything(projections.api, { q, limit: 10 });
    if (!answer.ok) throw new Error(answer.refusal);
    return answer.value;
  };

  test('exact ids come before beginnings, and these before names that are alike', async () => {
    await fold(person('LN', 'Maria', 'Ln-7001x'));
    const matches = (await first('LN-7001')).map(({ kind, id, match }) => [kind, id, match]);
    expect(matches[0]).toEqual(['account', 'A1', 'exact']);
    expect(matches.map(([, , match]) => match)).toEqual(
      matches.map(([, , match]) => match).toSorted((a, b) => order.indexOf(a!) - order.indexOf(b!)),
    );
  });
  const order = ['exact', 'beginning', 'alike'];

  test.each([
    [
      'LN-7002',
      { kind: 'account', id: 'A2', number: 'LN-7002', customerId: 'C5', fullName: 'Anna Maria Petrakis' },
    ],
    ['LN-7001', { kind: 'account', id: 'A1', status: 'active', customerId: 'C1' }],
    ['BANK-1', { kind: 'payment', number: 'BANK-1', status: 'received', customerId: 'C1' }],
    ['talk-1', { kind: 'conversation', id: 'TALK-1', customerId: 'C3', fullName: 'Maria Smithers' }],
    ['APP-1', { kind: 'application', id: 'APP-1', customerId: 'C5' }],
    ['jonatahn smith', { kind: 'customer', id: 'C1', number: null, fullName: 'Jonathan Smith' }],
  ])('%s', async (q, expected) => {
    expect((await first(q))[0]).toMatchObject(expected);
  });
});

test('who is erased is not found by what was erased, and none of their words is kept', async () => {
  const vault = openVault([{ name: 'test', key: new Uint8Array(32).fill(7) }]);
  const words = async () =>
    (await projections.owner.query<{ word: string }>('select word from servicing.name_words')).map(
      ({ word }) => word,
    );
  await fold(
    person('E1', 'Quentin', 'Maiden', {
      email_address: 'q@example.com',
      mobile_phone_number: '+999 5550001',
    }),
    person('E2', 'Quentin', 'Other'),
  );
  await fold(
    event('customer.changed.v1', {
      customer_id: 'E1',
      first_name: 'Quentin',
      last_name: 'Winterbourne',
    }),
  );
  expect(await ids('quentin winterbourne')).toEqual(['E1']);
  expect(await words()).toEqual(expect.arrayContaining(['quentin', 'maiden', 'winterbourne']));
  expect(
    await eraseCustomer(
      projections.owner,
      { customerId: 'E1', reason: 'asked', requestedBy: 'user:ann' },
      { vault, rules },
    ),
  ).toMatchObject({ ok: true });
  expect(await ids('quentin')).toEqual(['E2']);
  for (const q of ['winterbourne', 'maiden', 'q@example.com', '5550001']) expect(await ids(q)).toEqual([]);
  expect(await ids('E1')).toEqual(['E1']);
  const left = await words();
  expect(left).toContain('quentin');
  expect(left).not.toContain('winterbourne');
  expect(left).not.toContain('maiden');
});

test('folds that bring the same new words at once both end', async () => {
  const batch = (from: number) =>
    Array.from({ length: 50 }, (_, n) =>
      incoming(person(`W${from + n}`, `New${'abcdefg'[n % 7]}`, `Word${'abcdefghijk'[(n * 13) % 11]}`)),
    );
  const tools = { vault: openVault([{ name: 'test', key: new Uint8Array(32).fill(7) }]), rules };
  await Promise.all(
    [0, 100].map((from) => projections.owner.transaction((tx) => foldBatch(tx, batch(from), tools))),
  );
  expect(await ids('newd wordd')).not.toEqual([]);
});
