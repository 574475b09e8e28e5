import { expect, test } from 'vitest';
import { unanswered } from './kafka-log.ts';

test('a batch counts as confirmed only when every partition it went to has answered', () => {
  const answers = [
    { topicName: 'payment.events', partition: 0 },
    { topicName: 'other', partition: 1 },
  ];
  expect(unanswered(['payment.events 0', 'other 1'], answers)).toEqual([]);
  expect(unanswered(['payment.events 0', 'payment.events 1'], answers)).toEqual(['payment.events 1']);
  expect(unanswered(['payment.events 0'], [])).toEqual(['payment.events 0']);
});
