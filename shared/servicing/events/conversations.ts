// Events of chats: who said what, what was found, what was decided. The conversation is the envelope's; what is said is
// personal, that something was said is not.

import * as z from 'zod/mini';
import { type Circumstances, type Claim, type EventType, eventType, UnreadableEvent } from '../event-type.ts';
import {
  amount,
  currencyCode,
  firstOf,
  money,
  optionalId,
  plainJson,
  text,
  toMicroseconds,
  word,
} from '../reading.ts';
import type { Json } from '../registers.ts';

const chat = {
  conversation_id: optionalId,
  customer_id: optionalId,
  application_number: optionalId,
  application_id: optionalId,
  account_id: optionalId,
};
const chatFacts = Object.keys(chat);
type Chat = z.output<z.ZodMiniObject<typeof chat>>;

const at = (time: string | undefined) => time && toMicroseconds(time);

function conversation(p: Chat, c: Circumstances, values: Claim['values'], entry?: Claim['entry']): Claim {
  const id = firstOf(p.conversation_id, c.conversationId);
  if (id === undefined) throw new UnreadableEvent('it names no conversation');
  const known = {
    customerId: firstOf(p.customer_id, c.customerId),
    applicationNumber: firstOf(p.application_number, p.application_id),
    accountId: p.account_id,
  };
  return { kind: 'conversation', id, values: { ...known, ...values }, ...(entry ? { entry } : {}) };
}

/** What a chat tells of an application, where it names one. */
function application(p: Chat, c: Circumstances, values: Claim['values']): Claim[] {
  const id = firstOf(p.application_number, p.application_id);
  if (id === undefined) return [];
  const known = {
    customerId: firstOf(p.customer_id, c.customerId),
    conversationId: firstOf(p.conversation_id, c.conversationId),
    accountId: p.account_id,
  };
  return [{ kind: 'application', id, values: { ...known, ...values } }];
}

const spoken = { utterance: text, text, message: text, content: text, summary: text };
const words = (p: z.output<z.ZodMiniObject<typeof spoken>>) =>
  firstOf(p.utterance, p.text, p.message, p.content, p.summary);

const utterance = (author: string) =>
  eventType({
    schema: z.object({ ...chat, ...spoken }),
    facts: chatFacts,
    claims: (p, c) => [
      conversation(
        p,
        c,
        { lastMessageAt: at(c.time) },
        { kind: 'utterance', author, content: words(p), detail: null },
      ),
    ],
  });

const decision = eventType({
  schema: z.object({ ...chat, decision: word, outcome: word, reason: text }),
  facts: [...chatFacts, 'decision', 'outcome'],
  claims: (p, c) => {
    const decided = firstOf(p.decision, p.outcome)?.toLowerCase();
    const said = decided === undefined ? {} : { decision: decided, decidedAt: at(c.time) ?? null };
    const entry = {
      kind: 'decision',
      author: undefined,
      content: p.reason,
      detail: decided ?? null,
    } as const;
    return [conversation(p, c, said, entry), ...application(p, c, said)];
  },
});

const assessed = z.looseObject({ ...chat, outcome: word, result: z.optional(z.unknown()), decision: word });

/** Whatever an assessment holds is kept as it came, under its type. */
export const assessment = (type: string) =>
  eventType({
    schema: assessed,
    facts: [...chatFacts, 'outcome', 'decision'],
    claims: (p, c) => [
      conversation(
        p,
        c,
        {},
        {
          kind: 'assessment',
          author: type,
          content: firstOf(
            p.outcome,
            p.decision,
            typeof p.result === 'string' ? p.result : undefined,
          )?.toLowerCase(),
          detail: without(p, chatFacts),
        },
      ),
    ],
  });

const without = (payload: Record<string, unknown>, names: readonly string[]): Json =>
  plainJson(
    Object.fromEntries(
      Object.entries(payload).filter(([name, value]) => !names.includes(name) && value !== undefined),
    ),
  );

/** Assessments come under many names; all of them are read alike. */
export const isAssessment = (type: string): boolean =>
  type.endsWith('_assessment') || type.startsWith('credit_assessment_');

export const conversationEvents: Record<string, EventType> = {
  conversation_started: eventType({
    schema: z.object({ ...chat, channel: text }),
    facts: [...chatFacts, 'channel'],
    claims: (p, c) => [
      { ...conversation(p, c, { channel: p.channel, startedAt: at(c.time), started: true }), creation: true },
    ],
  }),
  user_input: utterance('customer'),
  assistant_response: utterance('assistant'),
  conversation_summary: eventType({
    schema: z.object({ ...chat, ...spoken }),
    facts: chatFacts,
    claims: (p, c) => [
      conversation(
        p,
        c,
        { summary: firstOf(p.summary, words(p)) },
        { kind: 'summary', author: undefined, content: firstOf(p.summary, words(p)), detail: null },
      ),
    ],
  }),
  applicationDetail_changed: eventType({
    schema: z.looseObject({ ...chat, currency: currencyCode, loan_amount: amount, loan_purpose: text }),
    facts: [...chatFacts, 'currency', 'loan_amount'],
    claims: (p, c) => {
      const loanAmount = money(p.loan_amount, 'loan_amount', p, c.business);
      const detail = without(p, chatFacts);
      return [
        conversation(p, c, {}, { kind: 'application', author: undefined, content: undefined, detail }),
        ...application(p, c, { loanAmount, loanPurpose: p.loan_purpose }),
      ];
    },
  }),
  final_decision: decision,
  final_credit_decision: decision,
  noticeboard_post: eventType({
    schema: z.object({ ...chat, ...spoken, topic: text, agent: text }),
    facts: chatFacts,
    claims: (p, c) => [
      conversation(
        p,
        c,
        {},
        {
          kind: 'noticeboard',
          author: firstOf(p.agent, p.topic),
          content: words(p),
          detail: p.topic ?? null,
        },
      ),
    ],
  }),
};
