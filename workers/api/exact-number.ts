// Amounts where the earlier systems have JSON numbers.

import { readExactJson } from '../../shared/exact-json.ts';

/** Decimal text as a JSON number with the same digits. */
export const exactNumber = (amount: string | null) => amount && readExactJson(amount);
