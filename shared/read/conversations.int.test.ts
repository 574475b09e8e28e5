import { expect, test } from 'vitest';
import { event } from '../servicing/testing.ts';
import { readConversation, readConversations } from './conversations.ts';
import { useProjections } from './testing.ts';

const projections = useProjections();
const { fold } = projections;

test('a conversation has its lines in the order in which they were said, page by page', async () => {
  const line = (id: string, type: string, payload: Record<string, unknown>, at?: string) =>
    event(type, payload, { id, conversation_id: 'V1', user_id: 'C1', at });
  await fold(
    line('e4', 'assistant_response', { text: 'four' }, '2026-03-01T10:00:00.000000002Z'),
    line('e3', 'user_input', { text: 'three' }, '2026-03-01T10:00:00.000000001Z'),
    line('e1', 'user_input', { text: 'no time' }),
    line('e5', 'serviceability_assessment', { outcome: 'PASS', score: 0.5 }, '2026-03-01T10:01:00Z'),
    line('e2', 'conversation_started', { channel: 'web' }, '2026-03-01T09:00:00Z'),
    line('e6', 'final_decision', { decision: 'APPROVED', reason: 'fine' }, '2026-03-01T10:02:00Z'),
  );
  const found: unknown[] = [];
  let after: string | undefined;
  do {
    const page = await readConversation(projections.api, 'V1', { after, limit: 2 });
    if (!page.ok || !page.value) throw new Error('no page');
    expect(page.value.lines.length).toBeLessThanOrEqual(2);
    found.push(...page.value.lines);
    after = page.value.next ?? undefined;
    if (after !== undefined)
      expect(await readConversation(projections.api, 'V2', { after, limit: 2 })).toEqual({
        ok: false,
        refusal: 'foreign_key',
      });
  } while (after !== undefined);
  const at = (time: string) => `2026-03-01T${time}.000Z`;
  expect(found).toEqual([
    { eventId: 'e1', kind: 'utterance', saidAt: null, author: 'customer', content: 'no time', detail: null },
    {
      eventId: 'e3',
      kind: 'utterance',
      saidAt: at('10:00:00'),
      author: 'customer',
      content: 'three',
      detail: null,
    },
    {
      eventId: 'e4',
      kind: 'utterance',
      saidAt: at('10:00:00'),
      author: 'assistant',
      content: 'four',
      detail: null,
    },
    {
      eventId: 'e5',
      kind: 'assessment',
      saidAt: at('10:01:00'),
      author: 'serviceability_assessment',
      content: 'pass',
      detail: { outcome: 'PASS', score: '0.5' },
    },
    {
      eventId: 'e6',
      kind: 'decision',
      saidAt: at('10:02:00'),
      author: null,
      content: 'fine',
      detail: 'approved',
    },
  ]);
  const whole = await readConversation(projections.api, 'V1', { limit: 5 });
  expect(whole.ok && whole.value).toEqual({
    conversationId: 'V1',
    customerId: 'C1',
    survivingCustomerId: 'C1',
    fullName: null,
    applicationNumber: null,
    accountId: null,
    status: 'decided',
    channel: 'web',
    startedAt: at('09:00:00'),
    lastMessageAt: at('10:00:00'),
    summary: null,
    decision: 'approved',
    decidedAt: at('10:02:00'),
    lines: found,
    next: null,
  });
  expect(await readConversation(projections.api, 'nothing', { limit: 5 })).toEqual({
    ok: true,
    value: undefined,
  });
});

test('the conversations of all who are one customer come in pages, the last active first', async () => {
  const started = (id: string, user: string, at?: string) =>
    event('conversation_started', {}, { conversation_id: id, user_id: user, at });
  await fold(
    started('W1', 'D1', '2026-03-01'),
    started('W2', 'D2', '2026-03-03'),
    started('W3', 'D1', '2026-03-02'),
    started('W4', 'D1'),
    started('W5', 'D1'),
    started('WX', 'DX', '2026-03-05'),
    event('customer.identity.merged.v1', { surviving_customer_id: 'D2', merged_customer_id: 'D1' }),
  );
  for (const limit of [1, 2, 5]) {
    const found: string[] = [];
    let after: string | undefined;
    do {
      const page = await readConversations(projections.api, { filter: { customer: 'D1' }, after, limit });
      if (!page.ok) throw new Error(page.refusal);
      found.push(...page.value.rows.map((row) => row.conversationId));
      after = page.value.next;
    } while (after !== undefined);
    expect(found).toEqual(['W2', 'W3', 'W1', 'W5', 'W4']);
  }
});
