// Access tokens are given for a session, and are good while it lives and for ten minutes at most.

import * as z from 'zod/mini';
import type { Caller } from '../../shared/staff/caller.ts';
import { verifyAccessToken } from '../access-token.ts';
import type { RequestContext } from '../app.ts';
import { callerOfToken } from '../caller.ts';
import { openDatabase } from '../database.ts';
import type { AuthSettings } from './env.ts';
import { accessTokenSeconds } from './token-keys.ts';

type Ctx = RequestContext<AuthSettings>;

export const tokenText = z.string().check(z.minLength(1), z.maxLength(4_096));

export async function issueTokens(
  c: Ctx,
  username: string,
  sessionId: string,
): Promise<{ accessToken: string; expiresIn: number; expiresAt: string }> {
  const accessToken = await c.get('settings').tokens.sign(username, { sid: sessionId });
  const expiresAt = new Date(Date.now() + accessTokenSeconds * 1_000).toISOString();
  return { accessToken, expiresIn: accessTokenSeconds, expiresAt };
}

/** Whoever an access token stands for now; asks the database every time. */
export async function validate(
  c: Ctx,
  token: string,
): Promise<{ caller: Caller; expiresAt: Date } | undefined> {
  const { database, tokenKeys } = c.get('settings');
  const subject = await verifyAccessToken(token, tokenKeys);
  const caller = subject && (await callerOfToken(openDatabase(database), subject));
  return caller && { caller, expiresAt: subject.expiresAt };
}
