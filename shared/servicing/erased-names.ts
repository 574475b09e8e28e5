// Whether an event that nobody has folded is about somebody who is erased: it names them, or a conversation or loan of
// theirs alone, under a name that says so. An id that is a small number must not match every counter.

import { isNumberSource, readExactJson } from '../exact-json.ts';
import type { Fields } from '../stream/envelope.ts';

export interface Names {
  customers: ReadonlySet<string>;
  conversations: ReadonlySet<string>;
  accounts: ReadonlySet<string>;
}

const meanings: ReadonlyArray<readonly [RegExp, keyof Names]> = [
  [/customer|user|usr|borrower/i, 'customers'],
  [/^(conv|cid)$|conversation/i, 'conversations'],
  [/account_?id$/i, 'accounts'],
];

const meaningOf = (name: string) => meanings.find(([pattern]) => pattern.test(name))?.[1];

export function namesErased(fields: Fields, names: Names): boolean {
  return Object.entries(fields).some(([name, text]) => {
    const parsed = /^\s*[[{"]/.test(text) ? json(text) : undefined;
    if (parsed !== undefined) return isIn(parsed, meaningOf(name), names);
    // What looks like JSON and is none has no names to go by.
    return name === 'payload' || name === 'dat'
      ? hasWord(text, names)
      : isNamed(text, meaningOf(name), names);
  });
}

function isIn(value: unknown, meaning: keyof Names | undefined, names: Names): boolean {
  if (isNumberSource(value)) return isNamed(value.rawJSON, meaning, names);
  if (typeof value === 'string') {
    // Some senders write the JSON of JSON.
    const inner = /^\s*[[{]/.test(value) ? json(value) : undefined;
    return inner === undefined ? isNamed(value, meaning, names) : isIn(inner, meaning, names);
  }
  if (Array.isArray(value)) return value.some((member) => isIn(member, meaning, names));
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(([name, member]) => isIn(member, meaningOf(name) ?? meaning, names));
}

const isNamed = (text: string, meaning: keyof Names | undefined, names: Names): boolean =>
  meaning !== undefined && names[meaning].has(text);

const hasWord = (text: string, { customers, conversations, accounts }: Names): boolean => {
  const words = new Set(text.split(/[^\p{L}\p{N}_.@:-]+/u));
  return [customers, conversations, accounts].some((ids) => [...ids].some((id) => words.has(id)));
};

function json(text: string): unknown {
  try {
    return readExactJson(text);
  } catch {
    return undefined;
  }
}
