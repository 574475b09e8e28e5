// How the story calls a route.

import type { Example } from '../../workers/openapi.ts';
import type { Answer } from './asking.ts';
import type { TestPerson } from './world.ts';

export interface Asking extends Omit<Example, 'answer'> {
  /** Instead of the key. */
  as?: TestPerson;
  headers?: Record<string, string>;
  /** Without an example, where the answer is of nothing but this moment. */
  unrecorded?: true;
}

/** By the route's own path. */
export type Call = (route: string, asking?: Asking) => Promise<Answer>;
