// What a channel's scheme is: everything a provider does its own way, in one file under channels/. The list of them is
// schemes.ts; docs/add-a-channel.md leads through writing one.

import type * as z from 'zod/mini';
import type { Result } from '../result.ts';
import type { Arrival } from './arrival.ts';
import type { SignedRequest, Verified } from './channels/signature.ts';
import type { NewNotice } from './notice.ts';
import type { BodyRefusal } from './payment-body.ts';
import type { Business } from './payment-fields.ts';

/** What every channel has beside its scheme's own settings. */
export interface ChannelBase {
  name: string;
  namespace: string;
  conflict: 409 | 200;
  allow: string[];
  /** True: it brings events and no payments. Providers' channels never do. */
  events?: boolean;
  /** Live secrets, the current one first. */
  secrets: readonly string[];
  /** The provider's API, for schemes that ask it. Without a token nothing is asked. */
  api?: { url: string; token: string | undefined } | undefined;
}

type Shape = Record<string, z.ZodMiniType>;
/** A channel whose scheme has these settings. */
export type ChannelWith<S extends Shape> = ChannelBase &
  (keyof S extends never ? unknown : z.output<z.ZodMiniObject<S>>);

/** A part of a body that could not be read, as a body of its own that the same scheme would read. */
interface RejectedPart {
  body: string;
  refusal: BodyRefusal;
}

export interface Parsed {
  arrivals: Arrival[];
  /** Types of events that are no payment. */
  ignored: string[];
  /** What could not be read beside what could. */
  rejected: RejectedPart[];
}

/** What the provider's API made of a notice. */
export interface Asked {
  arrivals: Arrival[];
  /** For standing notices: where to go on next time, and whether there is more already. */
  cursor?: string;
  more?: boolean;
}

/** The provider's API did not answer as it should; worth trying again. The message is safe to log and to keep. */
export class ProviderFault extends Error {
  override readonly name = 'ProviderFault';
}

export type Fetch = (url: string, init?: RequestInit) => Promise<Response>;

/** C is the scheme's own channel. Methods on purpose: a scheme of its own channel is then a Scheme of any. */
export interface Scheme<C extends ChannelBase = ChannelBase> {
  /** The settings of its own, beside those that all channels have. */
  readonly settings: Shape;
  /** Undefined where the provider signs with a key that its API gives out. */
  readonly secret:
    | undefined
    | {
        /** What is wrong with a secret, or undefined. */
        fault(secret: string): string | undefined;
        /** A secret of this many random bytes, for local use. */
        of(random: Uint8Array): string;
      };
  /** Content types in which the provider sends. */
  readonly mediaType: RegExp;
  /** In bytes. */
  readonly bodyLimit: number;
  /** True: one body is one payment, answered as created, duplicate or conflict. */
  readonly single: boolean;
  /** The text that the provider wants to read for a 200, when not our own answer. */
  readonly acknowledgement?: string;
  /** Types of events that are known to be no payment; a bounded list, because they become labels of a metric. */
  readonly ignoredTypes: readonly string[];
  /** Only called for a channel that has a secret, or a token where the scheme has no secret. */
  verify(channel: C, request: SignedRequest, now: Date, fetch: Fetch): Promise<Verified>;
  parse(body: Uint8Array, channel: C, business: Business): Result<Parsed, BodyRefusal>;
  /** Names of the fields that hold identifiers, which masking leaves alone, beside the usual ones. */
  readonly identifiers: readonly string[];
  readonly api?: {
    defaultUrl: string;
    /**
     * Turns a notice into facts. A refusal is final: the provider answered, and the answer is no payment that can be
     * recorded. Throws ProviderFault where asking again may help.
     */
    ask(
      notice: NewNotice & { cursor: string | null },
      channel: C,
      business: Business,
      fetch: Fetch,
    ): Promise<Result<Asked, BodyRefusal>>;
  };
}

export const json = /^application\/(json|[\w.-]+\+json)\s*(;|$)/i;
export const usualBodyLimit = 64 * 1024;
