// Events about customers and their applications. Everything a customer is called by is personal; what is left without
// it is that there is such a customer, who they were merged into, and their bank's key.

import * as z from 'zod/mini';
import { type Claim, type EventType, eventType, UnreadableEvent } from '../event-type.ts';
import {
  amount,
  currencyCode,
  firstOf,
  id,
  instant,
  kindName,
  line,
  list,
  money,
  named,
  optional,
  optionalId,
  plainJson,
  text,
  time,
  toMicroseconds,
  word,
} from '../reading.ts';

const address = optional(z.record(z.string(), z.unknown()));

const customer = z.object({
  customer_id: id,
  cif: optionalId,
  first_name: line,
  last_name: line,
  email_address: line,
  mobile_phone_number: line,
  date_of_birth: line,
  ekyc_status: line,
  residential_address: address,
  mailing_address: address,
});
const customerFacts = ['customer_id', 'cif'];

const customerClaim = (p: z.output<typeof customer>, creation: boolean): Claim => ({
  kind: 'customer',
  id: p.customer_id,
  creation,
  values: {
    'link:cif': p.cif,
    firstName: p.first_name,
    lastName: p.last_name,
    emailAddress: p.email_address,
    mobilePhoneNumber: p.mobile_phone_number,
    dateOfBirth: p.date_of_birth,
    ekycStatus: p.ekyc_status,
    residentialAddress: p.residential_address ? plainJson(p.residential_address) : undefined,
    mailingAddress: p.mailing_address ? plainJson(p.mailing_address) : undefined,
  },
});

const changed = eventType({
  schema: customer,
  facts: customerFacts,
  claims: (p) => [customerClaim(p, false)],
});

const linked = z.object({
  customer_id: id,
  identifier_type: kindName,
  identifier_value: optionalId,
  identifiers: list(z.object({ type: kindName, value: id })),
});

function linksOf(p: z.output<typeof linked>): Array<{ type: string; value: string }> {
  const links = [...(p.identifiers ?? [])];
  if (p.identifier_value !== undefined) links.push({ type: p.identifier_type, value: p.identifier_value });
  return links.map(({ type, value }) => ({ type: (type ?? 'other').toLowerCase(), value }));
}

const application = z.object({
  application_number: optionalId,
  application_id: optionalId,
  customer_id: optionalId,
  account_id: optionalId,
  currency: currencyCode,
  loan_amount: amount,
  loan_purpose: text,
  submitted_at: time,
  status: word,
  new_status: word,
});
const applicationFacts = Object.keys(application.shape).filter((name) => name !== 'loan_purpose');

export const customerEvents: Record<string, EventType> = {
  'customer.created.v1': eventType({
    schema: customer,
    facts: customerFacts,
    claims: (p) => [customerClaim(p, true)],
  }),
  'customer.changed.v1': changed,
  'customer.updated.v1': changed,
  'customer.verified.v1': eventType({
    schema: z.object({ customer_id: id, ekyc_status: text, verified_at: time }),
    facts: ['customer_id', 'verified_at'],
    claims: (p, { business, time }) => [
      {
        kind: 'customer',
        id: p.customer_id,
        values: {
          verified: true,
          verifiedAt: firstOf(instant(p.verified_at, 'verified_at', business), time && toMicroseconds(time)),
          ekycStatus: p.ekyc_status,
        },
      },
    ],
  }),
  'customer.identity.linked.v1': eventType({
    schema: linked,
    // An address, a phone number or a passport may be linked; of these only the bank's key names nobody by itself.
    facts: (p) => ({
      customer_id: p.customer_id,
      identifiers: linksOf(p).filter(({ type }) => type === 'cif'),
    }),
    claims: (p) => {
      const links = linksOf(p);
      // An empty list is what facts leave.
      if (links.length === 0 && !p.identifiers) throw new UnreadableEvent('identifier_value is missing');
      const values = links.map(({ type, value }) => [`also:${type}:${value}`, true]);
      return [{ kind: 'customer', id: p.customer_id, values: Object.fromEntries(values) }];
    },
  }),
  'customer.identity.merged.v1': eventType({
    schema: z.object({
      surviving_customer_id: optionalId,
      customer_id: optionalId,
      merged_customer_id: optionalId,
      // Each is an aggregate that the whole batch holds a lock on: Postgres has room for so many locks at a time.
      merged_customer_ids: list(id, 20),
    }),
    facts: ['surviving_customer_id', 'customer_id', 'merged_customer_id', 'merged_customer_ids'],
    claims: (p) => {
      const into = named(firstOf(p.surviving_customer_id, p.customer_id), 'surviving_customer_id');
      const merged = new Set([
        ...(p.merged_customer_id ? [p.merged_customer_id] : []),
        ...(p.merged_customer_ids ?? []),
      ]);
      merged.delete(into);
      if (merged.size === 0) throw new UnreadableEvent('merged_customer_id names no other customer');
      return [
        { kind: 'customer', id: into, values: {} },
        ...[...merged].map((id): Claim => ({ kind: 'customer', id, values: { mergedInto: into } })),
      ];
    },
  }),
  'application.submitted.v1': eventType({
    schema: application,
    facts: applicationFacts,
    claims: (p, { business, time, customerId, conversationId }) => [
      {
        kind: 'application',
        id: named(firstOf(p.application_number, p.application_id), 'application_number'),
        creation: true,
        values: {
          customerId: firstOf(p.customer_id, customerId),
          conversationId,
          accountId: p.account_id,
          loanAmount: money(p.loan_amount, 'loan_amount', p, business),
          loanPurpose: p.loan_purpose,
          status: (p.status ?? 'SUBMITTED').toLowerCase(),
          submittedAt: firstOf(
            instant(p.submitted_at, 'submitted_at', business),
            time && toMicroseconds(time),
          ),
        },
      },
    ],
  }),
  'application.status_changed.v1': eventType({
    schema: application,
    facts: applicationFacts,
    claims: (p, { business, customerId }) => [
      {
        kind: 'application',
        id: named(firstOf(p.application_number, p.application_id), 'application_number'),
        values: {
          customerId: firstOf(p.customer_id, customerId),
          accountId: p.account_id,
          loanAmount: money(p.loan_amount, 'loan_amount', p, business),
          status: named(firstOf(p.new_status, p.status), 'new_status').toLowerCase(),
        },
      },
    ],
  }),
};
