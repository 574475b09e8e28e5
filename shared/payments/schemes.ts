// Every scheme there is, by the name that a channel's `scheme` gives. Adding one is its file, its test and a line here.

import { adyen } from './channels/adyen.ts';
import { gocardless } from './channels/gocardless.ts';
import { hmac } from './channels/hmac.ts';
import { plaid } from './channels/plaid.ts';
import { razorpay } from './channels/razorpay.ts';
import { standard } from './channels/standard.ts';
import { stripe } from './channels/stripe.ts';

export const schemes = { standard, hmac, stripe, razorpay, adyen, gocardless, plaid } as const;
export type SchemeName = keyof typeof schemes;

export const isSchemeName = (name: unknown): name is SchemeName =>
  typeof name === 'string' && Object.hasOwn(schemes, name);
