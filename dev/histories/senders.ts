// Who sends what, and how each of them writes it: the two spellings of the envelope and their variants, ids under either
// name or none at all, a sequence that counts or is always 1, times with and without zone, amounts as text and as numbers.

import { localTime, parseInstant } from '../../shared/calendar-date.ts';
import type { Chance } from '../../test/seeded.ts';

/** The flat fields of an event, as they stand in a Redis stream. */
export type Entry = Record<string, string>;

const short = { type: 'typ', customer: 'usr', conversation: 'conv', sequence: 'seq', payload: 'payload' };
const shortDat = { ...short, payload: 'dat' };
const long = {
  type: 'event_type',
  customer: 'user_id',
  conversation: 'conversation_id',
  sequence: 'sequence',
  payload: 'payload',
};
const longVariant = { ...long, type: 'msg_type', conversation: 'cid', sequence: 'c_seq' };

interface Sender {
  spelling: typeof short;
  /** Where it writes the event's id. Undefined: nowhere, and the event is known by what it says. */
  id?: 'id' | 'event_id';
  /** What it writes into `cause`: the event's own id, or one that a whole conversation shares. */
  cause?: 'own' | 'shared';
  /** Where it says when: in the payload, beside it, or in the payload as seconds since 1970. */
  time: 'changed_at' | 'timestamp' | 'unix';
  /** Now and then it does not say when. */
  forgets?: true;
  counts?: true;
  /** Fields that are always the same. */
  always?: Entry;
}

const sender = (description: Sender) => description;
const senders = {
  accounts: sender({
    spelling: short,
    id: 'id',
    cause: 'own',
    time: 'changed_at',
    always: { agt: 'accounts', cls: 'msg' },
  }),
  aging: sender({
    spelling: short,
    cause: 'own',
    time: 'changed_at',
    always: { agt: 'loan-aging', cls: 'msg' },
  }),
  chat: sender({
    spelling: short,
    cause: 'shared',
    time: 'unix',
    counts: true,
    always: { agt: 'chat', cls: 'msg', rec: 'servicing' },
  }),
  board: sender({
    spelling: shortDat,
    id: 'id',
    cause: 'shared',
    time: 'unix',
    forgets: true,
    counts: true,
    always: { agt: 'chat', cls: 'msg' },
  }),
  collections: sender({
    spelling: shortDat,
    id: 'event_id',
    time: 'changed_at',
    always: { agt: 'collections', cls: 'msg' },
  }),
  customers: sender({ spelling: long, id: 'id', time: 'timestamp', counts: true }),
  applications: sender({ spelling: long, id: 'event_id', time: 'timestamp' }),
  notices: sender({ spelling: longVariant, id: 'event_id', time: 'timestamp' }),
  approvals: sender({ spelling: longVariant, id: 'id', time: 'timestamp', counts: true }),
};
export type SenderName = keyof typeof senders;

export interface Written {
  /** In microseconds since 1970, exactly what the entry says where it says it. */
  at: number;
  entry: Entry;
}

const iso = (seconds: number) => new Date(seconds * 1000).toISOString().slice(0, 19);
const sixDigits = (micros: number) => String(micros).padStart(6, '0');

/** A time as text, and the microseconds beyond the second that it has. */
function timeText(chance: Chance, seconds: number, timeZone: string): [text: string, micros: number] {
  const style = chance.next();
  if (style < 0.3) return [`${iso(seconds)}Z`, 0];
  const micros = chance.between(0, 999_999);
  if (style < 0.55) {
    const millis = Math.floor(micros / 1000);
    return [`${iso(seconds)}.${String(millis).padStart(3, '0')}Z`, millis * 1000];
  }
  if (style < 0.75) return [`${iso(seconds)}.${sixDigits(micros)}+00:00`, micros];
  if (style < 0.85) return [`${iso(seconds + 36_000)}.${sixDigits(micros)}+10:00`, micros];
  const local =
    timeZone === 'UTC' ? iso(seconds) : localTime(new Date(seconds * 1000), timeZone).slice(0, 19);
  // An hour that the zone's clock shows twice would be read as the earlier one.
  const isPlain = timeZone === 'UTC' || parseInstant(local, timeZone)?.getTime() === seconds * 1000;
  return isPlain ? [`${local}.${sixDigits(micros)}`, micros] : [`${iso(seconds)}Z`, 0];
}

export interface Message {
  from: SenderName;
  type: string;
  payload: Record<string, unknown>;
  customerId: string;
  conversationId: string;
  /** How many events of the customer came before; for senders that count. */
  before: number;
  id: string;
  /** In whole seconds since 1970. */
  seconds: number;
  timeZone: string;
}

/** A message as its sender writes it. Its payload becomes the sender's, who may write the time into it. */
export function write(chance: Chance, message: Message): Written {
  const { spelling, id, cause, time, forgets, counts, always } = senders[message.from];
  const { payload, seconds } = message;
  let micros = 0;
  let timestamp: string | undefined;
  if (forgets && chance.next() < 0.1) {
    // It stands where it happened.
  } else if (time === 'unix') {
    micros = chance.next() < 0.5 ? 0 : chance.between(0, 999_999);
    payload.timestamp = micros === 0 ? seconds : seconds + micros / 1e6;
  } else {
    [timestamp, micros] = timeText(chance, seconds, message.timeZone);
    if (time === 'changed_at') payload.changed_at = timestamp;
  }
  const entry: Entry = { ...always };
  if (id) entry[id] = message.id;
  entry[spelling.type] = message.type;
  entry[spelling.conversation] = message.conversationId;
  entry[spelling.customer] = message.customerId;
  entry[spelling.sequence] = counts ? String(message.before + 1) : '1';
  if (cause) entry.cause = cause === 'own' ? message.id : message.conversationId;
  if (timestamp && time === 'timestamp') entry.timestamp = timestamp;
  entry[spelling.payload] = JSON.stringify(payload);
  return { at: seconds * 1_000_000 + micros, entry };
}

/** A value of an enum, now and then with the enum's name before it, as some languages print it. */
export const enumText = (chance: Chance, name: string, value: string): string =>
  chance.next() < 0.12 ? `${name}.${value}` : value;

/** An amount as text, now and then as a JSON number, which is exact at the sizes of loans. */
export const amountValue = (chance: Chance, text: string): string | number =>
  chance.next() < 0.2 ? Number(text) : text;
