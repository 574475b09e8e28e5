// Signing in by name and password, and a code where there is a second factor. The attempt is counted before anything is
// tried, the outcome is in the audit trail, and what was opened is in the answer and nowhere else.
//
//   counted          too many lately        -> wait, nothing is tried
//   password tried   wrong, or nobody       -> failed, both alike and after the same time
//                    directory away         -> taken back, thrown
//   code tried       missing                -> taken back, asked for; only who knows the password is told
//                    wrong, or used before  -> failed
//   session opened   changed meanwhile      -> failed

import type { Database } from '../database.ts';
import { sha256 } from '../id.ts';
import { ok, type Result, refused } from '../result.ts';
import type { AttemptKeys } from './attempt.ts';
import type { Directory } from './directory.ts';
import { networkOf } from './network-of.ts';
import { sessionSecret } from './open-session.ts';
import { hashPassword, type Scrypt } from './password-hash.ts';
import { signInByDirectory } from './sign-in-by-directory.ts';
import { beginSignIn, completeSignIn, noteFailure, takeAttemptBack } from './sign-in-store.ts';
import { asUsername, newRefreshToken, type SignedIn, type Wanted } from './signed-in.ts';
import { type Vouched, vouch } from './vouch.ts';

export interface Credentials {
  /** As typed. */
  username: string;
  password: string;
  code?: string | undefined;
}

export interface From {
  address: string;
  /** SHA-256 of the device's cookie, hex. */
  deviceHash: string | null;
}

export interface SignInTools {
  /** The database, with who asks for the audit trail. */
  ask: (actor: string) => Database;
  scrypt: Scrypt;
  /** Stands for a text without telling it, hex. */
  keyedHash: (text: string) => Promise<string>;
  /** The step of a code that is right for this encrypted secret of somebody's. */
  totpStep: (secret: string, userId: string, code: string) => Promise<number | undefined>;
  /** Knows the people who have no password here. */
  directory: Directory | undefined;
}

export type SignInRefusal =
  | { reason: 'wait'; seconds: number }
  | { reason: 'failed' }
  | { reason: 'code_required' };

/** Somebody who has shown who they are. */
export type Shown = Exclude<Vouched, { by: 'nobody' }> & {
  totpStep: number | null;
  /** All that they sign in with; not so without the code of a second factor. */
  whole: boolean;
  knownDevice: boolean;
  keys: AttemptKeys;
};

async function keysOf({ keyedHash }: SignInTools, username: string, from: From): Promise<AttemptKeys> {
  const network = networkOf(from.address);
  const [device, nameAndAddress, address, name] = await Promise.all([
    keyedHash(`device ${from.deviceHash} ${username}`),
    keyedHash(`name and address ${network} ${username}`),
    keyedHash(`address ${network}`),
    keyedHash(`name ${username}`),
  ]);
  return { device, nameAndAddress, address, name };
}

/** Tries a password, and a code where one is wanted. The attempt stays counted until it is taken back. */
async function tryCredentials(
  tools: SignInTools,
  { username: typed, password, code }: Credentials,
  from: From,
  wantsCode: boolean,
): Promise<Result<Shown, SignInRefusal>> {
  const { ask, scrypt, directory, totpStep } = tools;
  const username = asUsername(typed);
  const keys = await keysOf(tools, username, from);
  const db = ask('anonymous');
  const begun = await beginSignIn(db, username, from.deviceHash, keys);
  if ('waitSeconds' in begun) return refused({ reason: 'wait', seconds: begun.waitSeconds });
  const { knownDevice } = begun;
  const failed = async (because: string) => {
    await noteFailure(db, begun.username, {
      because,
      known_device: knownDevice,
      // People type their passwords where names belong, so a name that is nobody's is not kept.
      ...(begun.username === null ? { name_hash: keys.name.slice(0, 16) } : {}),
    });
    return refused({ reason: 'failed' } as const);
  };

  const vouched = await vouch({ db, scrypt, directory }, begun, { username, password }).catch(
    async (fault) => {
      // It has not been tried.
      await takeAttemptBack(db, { knownDevice, succeeded: false, keys });
      throw fault;
    },
  );
  if (vouched.by === 'nobody') return failed(vouched.because);
  const { userId, totp } = vouched;
  let step: number | undefined;
  if (totp && userId !== null && wantsCode) {
    if (code === undefined) {
      await takeAttemptBack(db, { knownDevice, succeeded: false, keys });
      return refused({ reason: 'code_required' });
    }
    step = await totpStep(totp.secret, userId, code);
    if (step === undefined || step <= totp.lastStep) return failed('code');
  }
  const whole = totp === undefined || step !== undefined;
  return ok({ ...vouched, knownDevice, keys, totpStep: step ?? null, whole });
}

/**
 * Somebody in a session shows again who they are, for what a stolen session must not be enough for. The code's step is
 * the caller's to use up.
 */
export async function confirmCredentials(
  tools: SignInTools,
  credentials: Credentials,
  from: From,
  wantsCode: boolean,
): Promise<Result<Shown, SignInRefusal>> {
  const shown = await tryCredentials(tools, credentials, from, wantsCode);
  if (!shown.ok) return shown;
  const { userId, username, knownDevice, keys, whole } = shown.value;
  // Their directory has given their name to somebody else since.
  if (userId === null || username !== credentials.username) return refused({ reason: 'failed' });
  // The password alone forgets no codes that were guessed.
  await takeAttemptBack(tools.ask(`user:${username}`), { knownDevice, succeeded: whole, keys });
  return shown;
}

/** A session for whoever has these credentials; always a new one. */
export async function signIn(
  tools: SignInTools,
  credentials: Credentials,
  from: From & Wanted,
): Promise<Result<SignedIn, SignInRefusal>> {
  const shown = await tryCredentials(tools, credentials, from, true);
  if (!shown.ok) return shown;
  const { value } = shown;
  const opened =
    value.by === 'password'
      ? await openForPassword(tools, value, credentials.password, from)
      : await signInByDirectory(tools, value, from);
  return opened ? ok(opened) : refused({ reason: 'failed' });
}

async function openForPassword(
  tools: SignInTools,
  { username, verified, outdated, ...person }: Extract<Shown, { by: 'password' }>,
  password: string,
  from: Wanted,
): Promise<SignedIn | undefined> {
  const isBrowser = from.session.kind === 'browser';
  const secret = isBrowser ? sessionSecret() : newRefreshToken();
  const secretHash = await sha256(secret);
  const db = tools.ask(`user:${username}`);
  const opened = await completeSignIn(db, {
    ...person,
    verified,
    rehashed: outdated ? await hashPassword(tools.scrypt, password) : null,
    session: from.session,
    secretHash: isBrowser ? secretHash : null,
    refreshHash: isBrowser ? null : secretHash,
    replacedHash: from.replaced === undefined ? null : await sha256(from.replaced),
    deviceHash: from.newDeviceHash,
  });
  if (!opened) {
    // The password was changed meanwhile, or the code was used by somebody faster.
    await noteFailure(tools.ask('anonymous'), username, { because: 'changed_meanwhile' });
    return undefined;
  }
  return { username, secret, ...opened };
}
