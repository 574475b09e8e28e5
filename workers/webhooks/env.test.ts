import { expect, test } from 'vitest';
import { SettingsFault } from '../../shared/settings.ts';
import { readWebhooksSettings } from './env.ts';

const required = {
  DATABASE_URL: 'postgresql://recoup_webhooks:secret@db/recoup',
  UPSTASH_REDIS_REST_URL: 'https://redis.example',
  UPSTASH_REDIS_REST_TOKEN: 'a-token-of-enough-characters',
  CHANNELS: '{"standard":{"scheme":"standard"}}',
};
const accepting = {
  ACCEPTED_REDIS_REST_URL: 'https://accepted.example',
  ACCEPTED_REDIS_REST_TOKEN: 'another-token-of-enough-characters',
};
const faults = (changes: Record<string, string>) => {
  try {
    readWebhooksSettings({ ...required, ...changes });
    return [];
  } catch (error) {
    if (error instanceof SettingsFault) return error.faults;
    throw error;
  }
};

test('without a Redis for them, nothing is accepted during an outage', () => {
  expect(readWebhooksSettings(required).accepted).toBe(undefined);
});

test('with one, its stream and its limit have defaults', () => {
  expect(readWebhooksSettings({ ...required, ...accepting }).accepted).toEqual({
    redis: { url: accepting.ACCEPTED_REDIS_REST_URL, token: accepting.ACCEPTED_REDIS_REST_TOKEN },
    stream: 'accepted:payments',
    maxLength: 1_000_000,
  });
});

test('half of it is a fault', () => {
  const { ACCEPTED_REDIS_REST_URL, ACCEPTED_REDIS_REST_TOKEN } = accepting;
  expect(faults({ ACCEPTED_REDIS_REST_URL })).toEqual([
    'ACCEPTED_REDIS_REST_TOKEN: is missing beside its URL',
  ]);
  expect(faults({ ACCEPTED_REDIS_REST_TOKEN })).toEqual([
    'ACCEPTED_REDIS_REST_URL: is missing beside its token',
  ]);
  expect(faults({ ...accepting, ACCEPTED_REDIS_REST_TOKEN: 'short', ACCEPTED_MAX_LENGTH: '0' })).toEqual([
    'ACCEPTED_REDIS_REST_TOKEN: expected at least 16 characters',
    'ACCEPTED_MAX_LENGTH: expected a whole number from 1 to 1000000000',
  ]);
});

test('each path’s own channel is the name it has by default, or one of CHANNELS that brings what it takes', () => {
  const CHANNELS = '{"bank":{"scheme":"standard"},"crm":{"scheme":"standard","events":true}}';
  const read = (changes: Record<string, string>) =>
    readWebhooksSettings({ ...required, CHANNELS, ...changes }).defaultChannel;
  expect(read({})).toEqual({ payments: 'standard', events: 'servicing' });
  expect(read({ DEFAULT_CHANNEL: 'bank', EVENTS_CHANNEL: 'crm' })).toEqual({
    payments: 'bank',
    events: 'crm',
  });
  for (const wrong of [
    { DEFAULT_CHANNEL: 'crm', EVENTS_CHANNEL: 'bank' },
    { DEFAULT_CHANNEL: 'nobody', EVENTS_CHANNEL: 'nobody' },
  ])
    expect(faults({ CHANNELS, ...wrong })).toEqual([
      'DEFAULT_CHANNEL: is none of CHANNELS that bring payments',
      'EVENTS_CHANNEL: is none of CHANNELS that bring events',
    ]);
});
