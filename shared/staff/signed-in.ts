// What somebody has in hand who has signed in, whoever vouched for them.

import type { SessionOf } from './attempt.ts';
import { sessionSecret } from './open-session.ts';

/** What they want to have in hand. */
export interface Wanted {
  session: SessionOf;
  /** To be remembered as theirs, as SHA-256 in hex. */
  newDeviceHash: string | null;
  /** The secret of the session that the browser had; it ends. */
  replaced: string | undefined;
}

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
