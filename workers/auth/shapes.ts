// What this Worker's bodies and answers are made of.

import * as z from 'zod/mini';
import { isAboutBelongings, type Permission, permissions } from '../../shared/staff/permissions.ts';
import { type Reach, reaches } from '../../shared/staff/roles.ts';

const control = '\\u0000-\\u001f\\u007f-\\u009f';

/** A text of one line that Postgres can keep. */
export const line = (longest: number) =>
  z.string().check(
    z.trim(),
    z.minLength(1, 'expected a text'),
    z.maxLength(longest, `expected at most ${longest} characters`),
    z.refine((text) => !/[\p{Cc}\p{Cs}]/u.test(text), 'expected no control characters'),
    z.meta({ pattern: `^[^${control}]*[^\\s\\ufeff${control}][^${control}]*$` }),
  );

const names = Object.keys(permissions) as [Permission, ...Permission[]];
export const permissionName = z.enum(names, 'expected a permission');
export const reach = z.enum(reaches, 'expected all, team or own');

const onlyAll = z.literal('all', 'expected all: these things are everybody’s');

/** Permissions with their reach. */
export const worth = z.strictObject(
  Object.fromEntries(
    names.map((name) => [name, z.optional<z.ZodMiniType<Reach>>(isAboutBelongings(name) ? reach : onlyAll)]),
  ) as Record<Permission, z.ZodMiniOptional<z.ZodMiniType<Reach>>>,
);

/** UTC, with milliseconds. */
export const instant = z.string().check(z.meta({ format: 'date-time' }));

/** An instant in a body. */
export const givenInstant = z.pipe(
  z.iso.datetime({ offset: true, error: 'expected an instant like 2027-01-31T00:00:00Z' }),
  z.transform((text) => new Date(text)),
);

/** As the database has it. */
export const roleName = /^[a-z][a-z0-9-]{0,63}$/;
export const userName = /^[a-z0-9][a-z0-9._@-]{0,63}$/;
