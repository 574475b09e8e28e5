// A saved view, and what saves one.

import * as z from 'zod/mini';
import { notSaved, sharings, viewLimits, viewListNames } from '../../../shared/views/view.ts';
import { instant, uuid } from './values.ts';

export const viewList = z.enum(viewListNames, `expected ${viewListNames.join(', ')}`);
const sharedWith = z.enum(sharings, `expected ${sharings.join(', ')}`);

export const view = z.object({
  id: uuid,
  owner: z.string(),
  name: z.string(),
  list: viewList,
  query: z.record(z.string(), z.string()),
  sharedWith,
  version: z.int(),
  createdAt: instant,
  changedAt: instant,
});

const visible = /^[^\p{Cc}\p{Cs}]*$/u;
const described = '^[^\\u0000-\\u001f\\u007f-\\u009f]*$';
const name = z.string('expected a text').check(
  z.trim(),
  z.minLength(1, 'expected a text'),
  z.maxLength(viewLimits.name, `expected at most ${viewLimits.name} characters`),
  z.refine((text) => visible.test(text), 'expected no control characters'),
  z.meta({ pattern: '^[^\\s\\u0000-\\u001f\\u007f-\\u009f]+$' }),
);

const parameterName = new RegExp(`^[a-zA-Z][a-zA-Z0-9]{0,${viewLimits.parameterName - 1}}$`);
const query = z.record(z.string(), z.string('expected a text')).check(
  z.refine(
    (given) => Object.keys(given).length <= viewLimits.parameters,
    `expected at most ${viewLimits.parameters} parameters`,
  ),
  z.refine(
    (given) => Object.keys(given).every((key) => parameterName.test(key) && !notSaved.includes(key)),
    `expected names of parameters, of letters and digits, without ${notSaved.join(' and ')}`,
  ),
  z.refine(
    (given) => Object.values(given).every((text) => text.length <= viewLimits.value && visible.test(text)),
    `expected values of at most ${viewLimits.value} characters, without control characters`,
  ),
  z.meta({
    description: "Parameters of the list's route",
    maxProperties: viewLimits.parameters,
    propertyNames: {
      pattern: `^(?!(${notSaved.join('|')})$)[a-zA-Z][a-zA-Z0-9]{0,${viewLimits.parameterName - 1}}$`,
    },
    additionalProperties: { type: 'string', maxLength: viewLimits.value, pattern: described },
  }),
);

/** A view as a whole. */
export const viewContent = z.strictObject({
  name,
  list: viewList,
  query,
  sharedWith: z._default(sharedWith, 'nobody'),
});
