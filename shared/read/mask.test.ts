import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Customer } from './customer.ts';
import type { LoanAccount } from './loan-account.ts';
import {
  maskAddress,
  maskCustomer,
  maskDate,
  maskEmail,
  masked,
  maskLoanAccount,
  maskName,
  maskPhone,
} from './mask.ts';

test.each([
  ['Ana Ruiz', 'A. R.'],
  ['  zoë   o’brien-łukasz ', 'Z. O.'],
  ['𝒜da', '𝒜.'],
  ['', ''],
])('the name %j is %j', (name, shown) => {
  expect(maskName(name)).toBe(shown);
});

test.each([
  ['+34 600 000 001', '***001'],
  ['(0170) 12-34', '***234'],
  ['112', '***'],
  ['ask for Ana', '***'],
])('the number %j is %j', (phone, shown) => {
  expect(maskPhone(phone)).toBe(shown);
});

test.each([
  ['ana@example.com', 'a***@example.com'],
  ['"a@b"@example.com', '"***@example.com'],
  ['@example.com', '***'],
  ['ana', '***'],
])('the mailbox %j is %j', (email, shown) => {
  expect(maskEmail(email)).toBe(shown);
});

test.each([
  ['1990-02-03', '1990'],
  ['1990', '1990'],
  ['03.02.1990', '***'],
  ['19900203', '***'],
])('the date %j is %j', (date, shown) => {
  expect(maskDate(date)).toBe(shown);
});

test('of an address the suburb and the country are left, whatever else it has', () => {
  expect(
    maskAddress({
      street_name: 'Acacia',
      suburb: 'Mistwood',
      state: 'VIC',
      country: 'AU',
      full_address: '1 Acacia',
    }),
  ).toEqual({ suburb: 'Mistwood', state: 'VIC', country: 'AU' });
  expect(maskAddress({ suburb: { name: 'Mistwood', resident: 'Ana' } })).toEqual({});
  expect(maskAddress('1 Acacia Street, Mistwood')).toBe('***');
  expect(maskAddress(['1 Acacia Street'])).toBe('***');
  expect(maskAddress(null)).toBeNull();
});

const secrets = ['Xaverina', 'Quibble', 'quibble.x', '777123', '1987-11-09', 'Hidden Lane', 'PASS-99'];
const customer = {
  customerId: 'C1',
  ids: ['C1'],
  cif: 'CIF-1',
  identifiers: [
    { type: 'cif', value: 'CIF-1' },
    { type: 'passport', value: 'PASS-99-001' },
    { type: 'tax', value: '12345' },
  ],
  erased: false,
  firstName: 'Xaverina',
  lastName: 'Quibble',
  fullName: 'Xaverina Quibble',
  emailAddress: 'quibble.x@example.com',
  mobilePhoneNumber: '+34 777123 001',
  dateOfBirth: '1987-11-09',
  ekycStatus: 'PASSED',
  verified: true,
  verifiedAt: null,
  residentialAddress: { street: 'Hidden Lane 1', country: 'ES' },
  mailingAddress: null,
  flags: { hardship: false, stopContact: true, writtenOff: false, merged: false },
  loans: [],
  arrears: [{ currency: 'EUR', amount: '4.00', accounts: 1, daysPastDue: 3 }],
  lastPayments: [],
  conversations: { count: 1, latest: talk('Xaverina asked') },
  recentConversations: [talk('Xaverina asked'), talk(null)],
  applications: { count: 0, latest: null },
  notifications: { count: 0, latest: null },
  openApprovals: { count: 0, latest: null },
  openRequests: [],
  cases: { count: 0, latest: null },
  openCases: [],
  notes: [note('Xaverina is ill')],
} satisfies Customer;

function note(text: string) {
  return {
    id: '0190',
    customerId: 'C1',
    pinned: false,
    version: 1,
    texts: [{ text, writtenBy: 'user:ada', writtenAt: '2026-01-02T03:04:05.000Z' }],
    createdBy: 'user:ada',
    createdAt: '2026-01-02T03:04:05.000Z',
    changedAt: '2026-01-02T03:04:05.000Z',
  };
}

function talk(summary: string | null) {
  return {
    conversationId: 'V1',
    channel: 'web',
    status: 'open',
    startedAt: null,
    lastMessageAt: null,
    summary,
  };
}

test('of a customer nothing is left that names or reaches them, and all that is business', () => {
  const shown = maskCustomer(customer);
  for (const secret of secrets) expect(JSON.stringify(shown)).not.toContain(secret);
  expect(shown).toEqual({
    ...customer,
    identifiers: [
      { type: 'cif', value: 'CIF-1' },
      { type: 'passport', value: '***001' },
      { type: 'tax', value: '***' },
    ],
    firstName: 'X.',
    lastName: 'Q.',
    fullName: 'X. Q.',
    emailAddress: 'q***@example.com',
    mobilePhoneNumber: '***001',
    dateOfBirth: '1987',
    residentialAddress: { country: 'ES' },
    conversations: { count: 1, latest: talk('***') },
    recentConversations: [talk('***'), talk(null)],
    notes: [note('***')],
  });
});

test('masking once more changes nothing', () => {
  fc.assert(
    fc.property(fc.string(), fc.emailAddress(), (name, email) => {
      const once = masked({ fullName: name, emailAddress: email });
      expect(masked({ ...once, fullName: maskName(name) })).toEqual(once);
    }),
  );
});

test('rows keep what is not personal, and null where nothing is known', () => {
  expect(
    masked({
      accountId: 'A1',
      fullName: 'Ana Ruiz',
      content: 'hello',
      detail: { any: 1 },
      words: null,
      saidAt: 'x',
    }),
  ).toEqual({ accountId: 'A1', fullName: 'A. R.', content: '***', detail: '***', words: null, saidAt: 'x' });
});

test('of a loan the borrowers are masked', () => {
  const loan = {
    accountId: 'A1',
    borrowers: [{ customerId: 'C1', survivingCustomerId: 'C1', role: 'borrower', fullName: 'Ana Ruiz' }],
  } as unknown as LoanAccount;
  expect(maskLoanAccount(loan).borrowers).toEqual([
    { customerId: 'C1', survivingCustomerId: 'C1', role: 'borrower', fullName: 'A. R.' },
  ]);
});
