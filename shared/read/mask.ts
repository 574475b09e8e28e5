// Personal data as those see it who may know that somebody is there, but not who: enough to tell two people apart, too
// little to reach one. Ids, money and dates of business stay as they are. What was said, and what sums it up, may name
// anybody and is hidden as a whole; what nobody has said stays null. A row that has what is personal under other names
// than these must not be given to `masked`.

import { maskNote } from '../notes/note.ts';
import type { Customer } from './customer.ts';
import type { LoanAccount } from './loan-account.ts';

const hidden = '***';

/** `Ana María Ruiz` is `A. M. R.` */
export const maskName = (name: string): string =>
  name
    .split(/\s+/)
    .filter((word) => word !== '')
    .map((word) => `${[...word][0]?.toUpperCase()}.`)
    .join(' ');

/** The last three digits; of a shorter one nothing. */
export function maskPhone(phone: string): string {
  const digits = phone.replace(/\D/g, '');
  return digits.length > 3 ? `${hidden}${digits.slice(-3)}` : hidden;
}

/** `ana@example.com` is `a***@example.com`; what is no address is hidden. */
export function maskEmail(email: string): string {
  const at = email.lastIndexOf('@');
  return at > 0 ? `${[...email][0]}${hidden}${email.slice(at)}` : hidden;
}

/** The year; what does not begin with one is hidden. */
export const maskDate = (date: string): string => /^\d{4}(?=$|-)/.exec(date)?.[0] ?? hidden;

const placeNames = ['suburb', 'city', 'town', 'state', 'country', 'country_code'];

/** What of an address says where about somebody lives; null of none. */
export function maskAddress(address: unknown): unknown {
  if (address === null || address === undefined) return null;
  if (typeof address !== 'object' || Array.isArray(address)) return hidden;
  return Object.fromEntries(
    Object.entries(address).filter(([name, value]) => placeNames.includes(name) && typeof value === 'string'),
  );
}

/** The last three characters, of what is long enough that these do not give it away. */
const maskIdentifier = (value: string): string =>
  value.length >= 6 ? `${hidden}${value.slice(-3)}` : hidden;

const masks: Record<string, (value: never) => unknown> = {
  firstName: maskName,
  lastName: maskName,
  fullName: maskName,
  emailAddress: maskEmail,
  mobilePhoneNumber: maskPhone,
  dateOfBirth: maskDate,
  residentialAddress: maskAddress,
  mailingAddress: maskAddress,
  summary: () => hidden,
  content: () => hidden,
  detail: () => hidden,
  words: () => hidden,
};

/** A row of a list, a search, a timeline or a conversation, with what is personal of it masked. */
export const masked = <Row extends object>(row: Row): Row =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      value === null || value === undefined || !Object.hasOwn(masks, name)
        ? value
        : masks[name]?.(value as never),
    ]),
  ) as Row;

/** Names by which the business calls somebody, and no authority does. */
const ownIdentifiers = ['cif', 'customer_id'];

export const maskCustomer = (customer: Customer): Customer => ({
  ...masked(customer),
  identifiers: customer.identifiers.map(({ type, value }) => ({
    type,
    value: ownIdentifiers.includes(type) ? value : maskIdentifier(value),
  })),
  conversations: {
    ...customer.conversations,
    latest: customer.conversations.latest && masked(customer.conversations.latest),
  },
  recentConversations: customer.recentConversations.map(masked),
  notes: customer.notes.map(maskNote),
});

export const maskLoanAccount = (loan: LoanAccount): LoanAccount => ({
  ...loan,
  borrowers: loan.borrowers.map(masked),
});
