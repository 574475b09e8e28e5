// Every scheme there is, by the name that a channel's `scheme` gives. Adding one is its file, its test and a line here.

import { adyen } from './channels/adyen.ts';
import { hmac } from './channels/hmac.ts';
import { standard } from './channels/standard.ts';
import { stripe } from './channels/stripe.ts';

export const schemes = { standard, hmac, stripe, adyen } as const;
export type SchemeName = keyof typeof schemes;

export const isSchemeName = (name: unknown): name is SchemeName =>
  typeof name === 'string' && Object.hasOwn(schemes, name);
