import { expect, test } from 'vitest';
import * as z from 'zod/mini';
import { parseSettings } from '../settings.ts';
import { groupRolesSetting, rolesOfGroups } from './group-roles.ts';

const read = (text?: string) =>
  parseSettings('test', z.object({ GROUP_ROLES: groupRolesSetting() }), { GROUP_ROLES: text }).GROUP_ROLES;

test('groups add up, and those of no worth count for nothing', () => {
  const worth = read('{"staff": "agent", "leads": "supervisor", "night": "custom:night", "also": "agent"}');
  expect(rolesOfGroups(worth, ['staff', 'also', 'leads', 'night', 'canteen', 'staff'])).toEqual({
    roles: ['agent', 'night', 'supervisor'],
    keptHere: ['night'],
  });
  expect(rolesOfGroups(worth, ['Staff', 'staff ', '__proto__', 'constructor'])).toEqual({
    roles: [],
    keptHere: [],
  });
});

test('a distinguished name is the same however it is capitalised', () => {
  const worth = read('{"CN=Recoup Agents,OU=Groups,DC=bank": "agent"}');
  expect(rolesOfGroups(worth, ['cn=recoup agents,ou=groups,dc=bank']).roles).toEqual(['agent']);
});

test('without the setting no group is worth anything', () => {
  expect(rolesOfGroups(read(), ['admin', 'agent'])).toEqual({ roles: [], keptHere: [] });
});

test.each([
  ['a role that is not there', '{"staff": "agnet"}'],
  ['a role of one’s own with the name of one of the software', '{"staff": "custom:admin"}'],
  ['a role of one’s own that cannot be', '{"staff": "custom:Night Shift"}'],
  ['a list of roles', '{"staff": ["agent"]}'],
  ['a group without a name', '{"": "agent"}'],
  ['a list', '["agent"]'],
  ['no JSON', 'staff=agent'],
])('%s stops the process', (_, text) => {
  expect(() => read(text)).toThrow(/GROUP_ROLES: expected JSON like .* supervisor, .* or custom:<name>/);
});
