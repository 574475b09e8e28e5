import { expect, test } from 'vitest';
import * as z from 'zod/mini';
import { parseSettings, SettingsFault } from './settings.ts';

const schema = z.object({
  URL: z.string('is missing: where it answers'),
  TOKEN: z
    .string('is missing: the token')
    .check(z.refine((text) => text.length >= 8, 'expected at least 8 characters')),
  LEVEL: z._default(z.enum(['debug', 'info']), 'info'),
});

const faultOf = (env: Record<string, unknown>): SettingsFault => {
  try {
    parseSettings('the publisher', schema, env);
  } catch (error) {
    expect(error).toBeInstanceOf(SettingsFault);
    return error as SettingsFault;
  }
  throw new Error('nothing was wrong');
};

test('settings are read with their defaults, and what nobody asked for is left out', () => {
  const settings = parseSettings('the publisher', schema, { URL: 'u', TOKEN: '12345678', PATH: '/bin' });
  expect(settings).toEqual({ URL: 'u', TOKEN: '12345678', LEVEL: 'info' });
});

test('an empty setting counts as absent', () => {
  expect(parseSettings('the publisher', schema, { URL: 'u', TOKEN: '12345678', LEVEL: '' }).LEVEL).toBe(
    'info',
  );
  expect(faultOf({ URL: '', TOKEN: '12345678' }).faults).toEqual(['URL: is missing: where it answers']);
});

test('every fault is listed at once, by name, and the process is told', () => {
  const fault = faultOf({ TOKEN: 'short', LEVEL: 'loud' });
  expect(fault.faults.map((line) => line.split(':')[0])).toEqual(['URL', 'TOKEN', 'LEVEL']);
  expect(fault.message).toBe(
    `the publisher cannot start, its settings need attention:\n${fault.faults.map((line) => `  ${line}`).join('\n')}`,
  );
});

test('no fault shows a value', () => {
  const { message, faults } = faultOf({ URL: 7_654_321, TOKEN: 's3cr3t!', LEVEL: 's3cr3t!' });
  expect(faults).toHaveLength(3);
  expect(message).not.toMatch(/s3cr3t|7654321|7_654/);
});

test('a fault of the settings as a whole is named so', () => {
  const both = z
    .object({ A: z.optional(z.string()) })
    .check(z.refine((env) => env.A !== undefined, 'A or B is needed'));
  expect(() => parseSettings('a process', both, {})).toThrow('settings: A or B is needed');
});
