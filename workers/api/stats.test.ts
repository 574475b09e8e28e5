import { expect, test } from 'vitest';
import { webhookStats } from './stats.ts';

const sample = (series: string, value: number) => ({ series, value });

test('what came on several channels is one number', () => {
  expect(
    webhookStats([
      sample('recoup_webhook_payments_total{channel="a",outcome="created"}', 5),
      sample('recoup_webhook_payments_total{channel="b",outcome="created"}', 1),
      sample('recoup_webhook_payments_total{channel="b",outcome="duplicate"}', 2),
      sample('recoup_webhook_payments_total{channel="b",outcome="conflict"}', 1),
      sample('recoup_webhook_duration_seconds_count{channel="a"}', 6),
      sample('recoup_webhook_duration_seconds_count{channel="b"}', 4),
      sample('recoup_webhook_duration_microseconds_sum{channel="a"}', 30_000),
      sample('recoup_webhook_duration_microseconds_sum{channel="b"}', 93_400),
    ]),
  ).toEqual({ received_today: 10, duplicate_rate: 0.2222, average_response_time_ms: 12.3 });
});

test('an outcome that is neither new nor known is no part of the rate', () => {
  const counts = [
    sample('recoup_webhook_payments_total{channel="a",outcome="duplicate"}', 1),
    sample('recoup_webhook_payments_total{channel="a",outcome="accepted"}', 9),
  ];
  expect(webhookStats(counts).duplicate_rate).toBe(1);
});

test('a day on which nothing has come has a count and no averages', () => {
  expect(webhookStats([])).toEqual({
    received_today: 0,
    duplicate_rate: null,
    average_response_time_ms: null,
  });
});

test('of what is unknown nothing is told', () => {
  expect(webhookStats(undefined)).toEqual({
    received_today: null,
    duplicate_rate: null,
    average_response_time_ms: null,
  });
});
