// How the story asks: a route by its declared path, with what is put into it.

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

export type Call = (route: string, asking?: Asking) => Promise<Answer>;
