// What somebody has in hand who has signed in, whoever vouched for them.

import { sessionSecret } from './open-session.ts';

export interface SignedIn {
  username: string;
  sessionId: string;
  /** The browser's secret, or the client's refresh token. */
  secret: string;
  /** Sessions that ended for it. */
  ended: readonly string[];
}

export const newRefreshToken = (): string => `rt_${sessionSecret()}`;

export const asUsername = (typed: string): string => typed.trim().toLowerCase();
