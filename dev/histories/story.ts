// The life of a customer: somebody registers, applies for loans, has them, asks questions, moves house. It goes on for
// ever; whoever listens stops when enough is told.

import { applicationStory, asTimeGoesOn, inquiry } from './conversation.ts';
import { customerIdOf, day, hour, type Life, minute, originalOf, type Story } from './life.ts';
import { loanStory } from './loan.ts';
import { addressOf, lastNameAfterMarriage, mailboxOf, phoneOf } from './people.ts';

const numbered = (prefix: string, digits: number, n: number) => `${prefix}${String(n).padStart(digits, '0')}`;
/** What separates the first numbers of all customers from their second ones. */
const numbersApart = 1_000_000;

const cifOf = (customer: number) => numbered('CIF', 6, customer);
const accountNumberOf = (customer: number, loan: number) => numbered('LN', 8, loan * numbersApart + customer);

export function* story(life: Life): Story {
  yield* registers(life);
  let lastAccount: string | undefined;
  let loans = 0;
  for (let applications = 0; ; applications++) {
    const number = numbered('APP-', 8, applications * numbersApart + life.customer);
    const granted = yield* applicationStory(life, number);
    if (granted) {
      lastAccount = yield* loanStory(life, accountNumberOf(life.customer, loans), granted);
      loans++;
    }
    // A new loan when it is time for more to happen, and not at once after a refusal.
    const pause = life.chance.between(granted ? 3 : 30, granted ? 20 : 60) * day;
    yield* asTimeGoesOn(life, Math.max(life.now() + pause, life.paceTime()), lastAccount);
    if (life.chance.next() < 0.4) yield changes(life);
  }
}

/** What is left to tell when the story would go on after the last day: questions, until then. */
export function* questions(life: Life): Story {
  const conversation = 12;
  for (;;) {
    const silence = (life.end - life.now() - life.left()) / (life.left() / conversation + 1);
    life.pass(silence * (0.5 + life.chance.next()));
    yield* inquiry(life, undefined);
  }
}

function* registers(life: Life): Story {
  const { chance, customerId, person, registration } = life;
  const about = { first_name: person.firstName, last_name: person.lastName };
  const details = {
    email_address: person.email,
    mobile_phone_number: person.phone,
    date_of_birth: person.birthDate,
    residential_address: person.address,
  };
  const isTerse = chance.next() < 0.3;
  yield life.tell('customers', 'customer.created.v1', {
    customer_id: customerId,
    ...about,
    ...(!isTerse && details),
    ekyc_status: life.word('EkycStatus', 'PENDING'),
  });
  if (isTerse) {
    life.pass(chance.between(1, 20) * minute);
    yield life.tell('customers', 'customer.changed.v1', { customer_id: customerId, ...details });
  }
  if (chance.next() < 0.9) {
    life.pass(chance.between(1, 90) * minute);
    yield life.tell('customers', 'customer.verified.v1', {
      customer_id: customerId,
      ekyc_status: life.word('EkycStatus', 'SUCCESSFUL'),
      verified_at: life.time(life.now()),
    });
  }
  const original = originalOf(life.customer);
  if (original === undefined && chance.next() < 0.6) {
    life.pass(chance.between(1, 48) * hour);
    const cif = cifOf(life.customer);
    const one = chance.next() < 0.7;
    yield life.tell(
      'customers',
      'customer.identity.linked.v1',
      {
        customer_id: customerId,
        ...(one
          ? { identifier_type: 'cif', identifier_value: cif }
          : {
              identifiers: [
                { type: 'cif', value: cif },
                { type: 'crm', value: `crm-${customerId.slice(0, 8)}` },
              ],
            }),
      },
      registration,
    );
  }
  if (original !== undefined) {
    life.pass(chance.between(1, 72) * hour);
    const surviving = customerIdOf(life.seed, original);
    yield life.tell('customers', 'customer.identity.merged.v1', {
      [chance.next() < 0.7 ? 'surviving_customer_id' : 'customer_id']: surviving,
      ...(chance.next() < 0.7 ? { merged_customer_id: customerId } : { merged_customer_ids: [customerId] }),
    });
  }
  life.pass(chance.between(5, 40) * minute);
}

/** Something about the customer is new; only what is new is told. */
function changes(life: Life) {
  const { chance, customerId, person } = life;
  const type = chance.next() < 0.5 ? 'customer.changed.v1' : 'customer.updated.v1';
  const dice = chance.next();
  const tell = (what: Record<string, unknown>) =>
    life.tell('customers', type, { customer_id: customerId, ...what });
  if (dice < 0.35) {
    person.address = addressOf(chance, 'RESIDENTIAL');
    return tell({ residential_address: person.address });
  }
  if (dice < 0.6) {
    person.phone = phoneOf(chance);
    return tell({ mobile_phone_number: person.phone });
  }
  if (dice < 0.8) {
    person.email = mailboxOf(chance, person.firstName, person.lastName);
    return tell({ email_address: person.email });
  }
  if (dice < 0.9) return tell({ mailing_address: addressOf(chance, 'MAILING') });
  person.lastName = lastNameAfterMarriage(chance);
  return tell({ last_name: person.lastName });
}
