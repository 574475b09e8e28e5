// What is said: conversations in which a loan is applied for, and those in which a customer asks something.

import type { Chance } from '../../test/seeded.ts';
import { day, hour, type Life, minute, type Story } from './life.ts';
import type { Written } from './senders.ts';

const channels = ['web', 'app', 'phone', 'sms'] as const;

const purposes = [
  ['car repairs', 'my car broke down and the garage wants the money up front'],
  ['rental bond', 'we are moving and the bond is due before we get the old one back'],
  ['dental treatment', 'I need a crown and a root canal'],
  ['household appliance', 'the fridge died last night'],
  ['school costs', 'uniforms and a laptop for the new term'],
  ['travel to family', 'my sister is getting married abroad'],
  ['vet bill', 'our dog needs an operation'],
  ['moving house', 'the removalists want a deposit'],
  ['tools for work', 'I start as an apprentice and need my own tools'],
  ['medical expenses', 'there is a gap that the insurance does not pay'],
] as const;

const topics = [
  {
    about: 'payment date',
    asks: [
      'Can I move my next payment by a few days?',
      'My pay day has changed, what can we do?',
      'When is my next payment due?',
    ],
    answers: [
      'I can move it by up to five days without a fee.',
      'I see your next payment in the schedule; shall I send it to you?',
      'Yes. The rest of the schedule stays as it is.',
    ],
  },
  {
    about: 'payout figure',
    asks: [
      'How much would it be to pay everything today?',
      'I got a bonus and want to be done with the loan.',
      'Is there a fee for paying early?',
    ],
    answers: [
      'There is no fee for paying early.',
      'The amount is your balance as it stands today.',
      'I have sent you the details for a bank transfer.',
    ],
  },
  {
    about: 'trouble paying',
    asks: [
      'I lost shifts this month and cannot pay in full.',
      'Things are tight since my hours were cut.',
      'Could I pay half now and half next week?',
    ],
    answers: [
      'Thank you for telling us early, that helps.',
      'We can look at smaller payments for a while.',
      'I have noted it and a colleague will call you.',
    ],
  },
  {
    about: 'bank account',
    asks: [
      'I changed my bank, where do I give you the new account?',
      'A payment was taken from the old account.',
      'Did my transfer of yesterday arrive?',
    ],
    answers: [
      'You can enter the new account in the app under Payments.',
      'I see the transfer; it takes one working day to show.',
      'The old account is not used any more from today.',
    ],
  },
  {
    about: 'statement',
    asks: [
      'Could you send me a statement for my landlord?',
      'I cannot open the statement of last month.',
      'Why is the fee on my statement?',
    ],
    answers: [
      'It is on its way to your mailbox.',
      'The fee is the one of the contract, spread over the payments.',
      'Here is a fresh link; it works for a day.',
    ],
  },
  {
    about: 'change of details',
    asks: [
      'I have moved, can you change my address?',
      'My telephone number is a new one.',
      'How do I change the name on my account?',
    ],
    answers: [
      'Done. You will get a confirmation.',
      'For a new name we need a document; a photo will do.',
      'Is your mail to go to the new address, too?',
    ],
  },
] as const;

const small = [
  'thanks',
  'ok',
  'great',
  'that works for me',
  'hm, let me think',
  'perfect',
  'yes please',
  'no',
];

export interface Application {
  number: string;
  conversationId: string;
  amountMinor: bigint;
  purpose: string;
}

/** The same thing under the names that different versions of the chat have for it. */
const said = (chance: Chance, text: string) => {
  const name = chance.next() < 0.7 ? 'utterance' : chance.pick(['text', 'message', 'content'] as const);
  return { [name]: text };
};

function conversationOf(life: Life, conversationId: string) {
  const { chance } = life;
  const chat = (type: string, payload: Record<string, unknown>) =>
    life.tell('chat', type, payload, conversationId);
  return {
    chat,
    *asks(text: string): Story {
      life.pass(chance.between(8, 90));
      yield chat('user_input', said(chance, text));
    },
    *answers(text: string): Story {
      life.pass(chance.between(1, 12));
      yield chat('assistant_response', said(chance, text));
    },
    board(topic: string, content: string) {
      const about = chance.next() < 0.5 ? { topic } : { agent: topic };
      const what = chance.next() < 0.5 ? { content } : { text: content };
      return life.tell('board', 'noticeboard_post', { ...about, ...what }, conversationId);
    },
  };
}

/** A customer asks something, about a loan where there is one. */
export function* inquiry(life: Life, accountId: string | undefined): Story {
  const { chance } = life;
  const conversationId = life.id();
  const { chat, asks, answers, board } = conversationOf(life, conversationId);
  const topic = chance.pick(topics);
  yield chat('conversation_started', {
    customer_id: life.customerId,
    channel: chance.pick(channels),
    ...(accountId && { account_id: accountId }),
  });
  const turns = chance.between(2, 6);
  for (let turn = 0; turn < turns; turn++) {
    yield* asks(turn === 0 || chance.next() < 0.4 ? chance.pick(topic.asks) : chance.pick(small));
    yield* answers(chance.pick(topic.answers));
  }
  if (chance.next() < 0.2) yield board(topic.about, `Asked about: ${topic.about}. To be followed up.`);
  life.pass(chance.between(5, 120));
  yield chat('conversation_summary', {
    [chance.next() < 0.7 ? 'summary' : 'text']:
      `${life.person.firstName} asked about: ${topic.about}. ${turns} questions, answered.`,
  });
}

/** Words and judgements about an application. Ends with the decision; gives what was applied for where it is a yes. */
export function* applicationStory(life: Life, number: string): Generator<Written, Application | undefined> {
  const { chance, customerId } = life;
  const conversationId = life.id();
  const { chat, asks, answers, board } = conversationOf(life, conversationId);
  const [purpose, words] = chance.pick(purposes);
  let amountMinor = life.major(chance.between(3, 60) * 100);
  const application = (status: string) =>
    life.tell(
      'applications',
      'application.status_changed.v1',
      {
        application_number: number,
        customer_id: customerId,
        [chance.next() < 0.8 ? 'new_status' : 'status']: life.word('ApplicationStatus', status),
      },
      conversationId,
    );

  yield chat('conversation_started', {
    customer_id: customerId,
    application_number: number,
    channel: chance.pick(channels),
  });
  yield* answers(`Hello ${life.person.firstName}, what can I do for you?`);
  yield* asks(`I would like to borrow some money: ${words}.`);
  yield* answers('How much do you need?');
  yield* asks(`About ${amountMinor / life.major(1)}.`);
  yield chat('applicationDetail_changed', {
    application_number: number,
    loan_amount: life.amount(amountMinor),
    loan_purpose: purpose,
    customer_id: customerId,
  });
  if (chance.next() < 0.25) {
    amountMinor = life.major(chance.between(3, 40) * 100);
    yield* asks(`On second thoughts, ${amountMinor / life.major(1)} will do.`);
    yield chat('applicationDetail_changed', {
      application_id: number,
      loan_amount: life.amount(amountMinor),
    });
  }
  yield* answers('Thank you. I look into it and come back to you in a moment.');
  yield life.tell(
    'applications',
    'application.submitted.v1',
    {
      [chance.next() < 0.8 ? 'application_number' : 'application_id']: number,
      customer_id: customerId,
      loan_amount: life.amount(amountMinor),
      loan_purpose: purpose,
      submitted_at: life.time(life.now()),
      status: life.word('ApplicationStatus', 'SUBMITTED'),
      currency: life.currency,
    },
    conversationId,
  );

  const isGranted = chance.next() < 0.85;
  const outcome = isGranted || chance.next() < 0.5 ? 'PASS' : 'FAIL';
  life.pass(chance.between(2, 40));
  yield chat('identityRisk_assessment', {
    outcome: life.word('RiskOutcome', 'PASS'),
    score: chance.between(500, 999),
    provider: 'identity-desk',
  });
  life.pass(chance.between(2, 40));
  yield chat('serviceability_assessment', {
    result: outcome,
    monthly_surplus: life.amount(life.major(chance.between(50, 1_900))),
  });
  if (chance.next() < 0.6)
    yield chat('credit_assessment_serviceability_result', {
      decision: outcome,
      score: chance.between(300, 850),
    });
  if (chance.next() < 0.3) yield chat('credit_assessment_bureau_result', { result: outcome, enquiries: 2 });
  if (chance.next() < 0.3) yield chat('fraud_assessment', { outcome: 'PASS', score: chance.between(0, 30) });
  yield application('UNDER_REVIEW');
  if (chance.next() < 0.5) yield board('serviceability', `Income and spending checked: ${outcome}.`);

  life.pass(chance.between(1, 60) * minute);
  yield chat(chance.next() < 0.7 ? 'final_decision' : 'final_credit_decision', {
    [chance.next() < 0.7 ? 'decision' : 'outcome']: life.word(
      'Decision',
      isGranted ? 'APPROVED' : 'DECLINED',
    ),
    application_number: number,
    ...(!isGranted && { reason: chance.pick(['serviceability', 'too many enquiries', 'existing arrears']) }),
  });
  yield* answers(isGranted ? 'Good news: your loan is approved.' : 'I am sorry, we cannot lend to you now.');
  yield* asks(isGranted ? chance.pick(small) : 'What a pity. Can I try again later?');
  yield application(isGranted ? 'APPROVED' : 'DECLINED');
  life.pass(chance.between(10, 300));
  yield chat('conversation_summary', {
    summary: `Application for ${purpose}: ${isGranted ? 'approved' : 'declined'}.`,
  });
  return isGranted ? { number, conversationId, amountMinor, purpose } : undefined;
}

/** Time goes on. A life that has told less than its share of events by then asks something meanwhile. */
export function* asTimeGoesOn(life: Life, until: number, accountId: string | undefined): Story {
  const conversation = 16;
  const lastStart = until - hour;
  while (life.behindAt(until) > conversation && life.now() < lastStart) {
    life.passUntil(Math.min(lastStart, life.paceTime() + life.chance.between(0, day)));
    yield* inquiry(life, accountId);
  }
  life.passUntil(until);
}
