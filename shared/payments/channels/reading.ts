// Reads a provider's event field by field and collects every fault, so that staff see all of them at once. A getter
// answers a placeholder where it found a fault: use what was read only when `faults` is empty.

import * as z from 'zod/mini';
import { calendarDate, parseInstant } from '../../calendar-date.ts';
import { isNumberSource } from '../../exact-json.ts';
import {
  type AmountFault,
  currencyExponent,
  type Money,
  parseAmount,
  parseMinorAmount,
} from '../../money.ts';
import { ok, type Result, refused } from '../../result.ts';
import type { Arrival } from '../arrival.ts';
import { identifiers, maskCardData, maskCardText } from '../mask-card-data.ts';
import { type BodyRefusal, isObject } from '../payment-body.ts';
import {
  amountMessages,
  type Business,
  type FieldFault,
  identifierFault,
  identifierMessage,
} from '../payment-fields.ts';
import type { ChannelBase } from '../scheme.ts';

/** Providers' ids are far shorter than the 255 characters of a reference, and some get a word of ours behind them. */
type Limit = 20 | 50 | 200;

/** Which of the provider's metadata fields name the loan and the customer. */
export const payerSettings = {
  loanAccountField: z._default(
    z.string('expected a name').check(z.refine((name) => name !== '', 'expected a name')),
    'loan_account_number',
  ),
  cifField: z._default(
    z.string('expected a name').check(z.refine((name) => name !== '', 'expected a name')),
    'cif',
  ),
};
export type PayerFields = z.output<z.ZodMiniObject<typeof payerSettings>>;

export class Reading {
  readonly faults: FieldFault[] = [];
  readonly #root: unknown;

  constructor(root: unknown) {
    this.#root = root;
  }

  /** What stands under a path like `data.object.id`; undefined where there is nothing, and for null. */
  value(path: string): unknown {
    let value = this.#root;
    for (const key of path.split('.')) {
      value =
        typeof value === 'object' && value !== null && Object.hasOwn(value, key)
          ? (value as Record<string, unknown>)[key]
          : undefined;
    }
    return value ?? undefined;
  }

  object(path: string): Record<string, unknown> {
    const value = this.value(path);
    return isObject(value) ? value : {};
  }

  /** A text of any content, or undefined. */
  words(path: string): string | undefined {
    const value = this.value(path);
    return typeof value === 'string' && value !== '' ? value : undefined;
  }

  /** An identifier, by the rules of the documented body. */
  id(path: string, limit: 50 | 200 = 200): string {
    return this.#identifier(this.value(path), path, limit);
  }

  #identifier(value: unknown, field: string, limit: Limit): string {
    const text = isNumberSource(value) ? value.rawJSON : value;
    const fault = typeof text === 'string' ? identifierFault(text, limit) : identifierMessage(limit);
    if (fault === undefined) return text as string;
    this.fault(field, fault);
    return '';
  }

  /** The loan and the customer, from the metadata fields that the channel names. */
  payer(fields: Record<string, unknown>, under: string, { loanAccountField, cifField }: PayerFields) {
    const read = (name: string) =>
      this.#identifier(Object.hasOwn(fields, name) ? fields[name] : undefined, `${under}.${name}`, 20);
    return { loanAccountNumber: read(loanAccountField), cif: read(cifField) };
  }

  /** A whole number of minor units; `exponents` are the provider's own where they differ from ISO 4217. */
  minorMoney(amountPath: string, currencyPath: string, exponents: Record<string, number> = {}): Money {
    const currency = this.#currency(currencyPath);
    const value = this.value(amountPath);
    const text = isNumberSource(value) ? value.rawJSON : '';
    return this.#money(currency, amountPath, (code) => parseMinorAmount(text, code, exponents[code]));
  }

  /** A decimal text in major units. */
  decimalMoney(amountPath: string, currencyPath: string): Money {
    const currency = this.#currency(currencyPath);
    return this.#money(currency, amountPath, (code) => parseAmount(this.words(amountPath) ?? '', code));
  }

  #currency(path: string): string | undefined {
    const code = this.words(path)?.toUpperCase();
    if (code !== undefined && currencyExponent(code) !== undefined) return code;
    this.fault(path, 'expected an ISO 4217 code');
    return undefined;
  }

  #money(
    currency: string | undefined,
    field: string,
    parse: (currency: string) => Result<Money, AmountFault>,
  ): Money {
    const parsed = currency === undefined ? undefined : parse(currency);
    if (parsed?.ok) return parsed.value;
    if (parsed) this.fault(field, amountMessages[parsed.refusal], parsed.refusal);
    return { amountMinor: 1n, currency: 'EUR' };
  }

  /** Unix seconds. */
  unixTime(path: string): Date {
    const value = this.value(path);
    const source = isNumberSource(value) ? value.rawJSON : '';
    if (/^\d{1,11}$/.test(source)) return new Date(Number(source) * 1000);
    this.fault(path, 'expected Unix seconds');
    return new Date(0);
  }

  /** ISO 8601; without an offset it is the time of `timeZone`. */
  time(path: string, timeZone: string): Date {
    const instant = parseInstant(this.words(path) ?? '', timeZone);
    if (!instant) this.fault(path, 'expected an ISO 8601 date and time');
    return instant ?? new Date(0);
  }

  fault(field: string, message: string, code = 'invalid'): void {
    this.faults.push({ field, code, message });
  }

  /** What `value` made of the event, unless something was at fault. */
  result<T>(value: T): Result<T, BodyRefusal> {
    return this.faults.length === 0 ? ok(value) : refused({ kind: 'invalid', faults: this.faults });
  }
}

interface Origin {
  channel: ChannelBase & PayerFields;
  business: Business;
}

const sourceOf = (channel: ChannelBase) =>
  ({ namespace: channel.namespace, source: 'webhook', actor: `channel:${channel.name}` }) as const;

export function paymentArrival(
  { channel, business }: Origin,
  payment: {
    referenceNumber: string;
    loanAccountNumber: string;
    cif: string;
    amount: Money;
    paymentDate: Date;
    metadata: object;
  },
): Arrival {
  const kept = new Set([...identifiers, channel.loanAccountField, channel.cifField]);
  return {
    kind: 'payment',
    payment: {
      ...payment,
      ...sourceOf(channel),
      paidOn: calendarDate(payment.paymentDate, business.timeZone),
      paymentChannel: channel.name,
      metadata: JSON.stringify(maskCardData(payment.metadata, kept)),
      requiresReceipt: false,
    },
  };
}

export function reversalArrival(
  { channel }: Origin,
  reversal: {
    referenceNumber: string;
    reversalReference: string;
    /** Null takes back all that is left. */
    amount: Money | null;
    reason: string;
    occurredAt: Date;
  },
): Arrival {
  const { reason } = reversal;
  return { kind: 'reversal', reversal: { ...reversal, ...sourceOf(channel), reason: maskCardText(reason) } };
}

export function failureArrival(
  { channel }: Origin,
  failure: {
    referenceNumber: string;
    failureReference: string;
    amount: Money | null;
    reason: string;
    occurredAt: Date;
    /** Where the loan and the customer may be found. */
    fields: Record<string, unknown>;
  },
): Arrival {
  const { fields, reason, ...rest } = failure;
  // A failure without its loan still tells something; what is not there is not asked for.
  const known = (name: string) => {
    const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
    return typeof value === 'string' && identifierFault(value, 20) === undefined ? value : null;
  };
  return {
    kind: 'failure',
    failure: {
      ...rest,
      ...sourceOf(channel),
      reason: maskCardText(reason),
      loanAccountNumber: known(channel.loanAccountField),
      cif: known(channel.cifField),
      paymentChannel: channel.name,
    },
  };
}
