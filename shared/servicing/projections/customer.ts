// A customer: names and ways to reach them, with columns made for searching; and who they turned out to be.

import { jsonText, type Projection } from '../projection.ts';
import { toMicroseconds } from '../reading.ts';
import { lastSaid, namesUnder, register, type State, textIn, timeOf } from '../registers.ts';

export const customer: Projection = {
  group: 'customers',
  table: 'customers',
  key: 'customer_id',
  columns: {
    first_name: 'text',
    last_name: 'text',
    full_name: 'text',
    email_address: 'text',
    mobile_phone_number: 'text',
    phone_digits: 'text',
    date_of_birth: 'text',
    ekyc_status: 'text',
    verified: 'boolean',
    verified_at: 'timestamptz',
    residential_address: 'jsonb',
    mailing_address: 'jsonb',
    merged_into: 'text',
    merged_version: 'text',
    told_at: 'timestamptz',
  },
  row: (state) => {
    const [first, last] = [textIn(state, 'firstName'), textIn(state, 'lastName')];
    const phone = textIn(state, 'mobilePhoneNumber');
    const merged = register(state, 'mergedInto');
    return {
      first_name: first,
      last_name: last,
      full_name: [first, last].filter((name) => name !== null).join(' ') || null,
      email_address: textIn(state, 'emailAddress'),
      mobile_phone_number: phone,
      phone_digits: phone?.replace(/\D/g, '') || null,
      date_of_birth: textIn(state, 'dateOfBirth'),
      ekyc_status: textIn(state, 'ekycStatus'),
      verified: lastSaid(state, 'verified') === true,
      verified_at: textIn(state, 'verifiedAt'),
      residential_address: jsonText(lastSaid(state, 'residentialAddress')),
      mailing_address: jsonText(lastSaid(state, 'mailingAddress')),
      merged_into: merged ? String(merged[1]) : null,
      merged_version: merged?.[0] ?? null,
      told_at: lastTold(state),
    };
  },
  lists: [],
  identifiers: (id, state) => {
    const names = new Map<string, { kind: string; value: string; version: string }>();
    const add = (kind: string, value: string, version: string) => {
      const key = `${kind}:${value}`;
      if ((names.get(key)?.version ?? '') <= version) names.set(key, { kind, value, version });
    };
    add('customer_id', id, '');
    const cif = register(state, 'link:cif');
    if (cif) add('cif', String(cif[1]), cif[0]);
    for (const name of namesUnder(state, 'also:')) {
      const colon = name.indexOf(':');
      const [kind, value] = [name.slice(0, colon), name.slice(colon + 1)];
      // What is somebody's or some loan's own id is not theirs to give away.
      if (!ownIds.includes(kind)) add(kind, value, register(state, `also:${name}`)?.[0] ?? '');
    }
    return [...names.values()];
  },
};

const ownIds = ['customer_id', 'account_id', 'account_number'];

/** The latest of all that told something of them. */
function lastTold({ created, fields }: State): string | null {
  const versions = Object.values(fields).map(([version]) => version);
  const latest = [...versions, created?.[0] ?? ''].sort().at(-1) ?? '';
  const at = timeOf(latest);
  return at ? toMicroseconds(at) : null;
}
