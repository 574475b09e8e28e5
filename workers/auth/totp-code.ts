// Time-based codes (RFC 6238) as every authenticator app makes them: SHA-1, six digits, half a minute each. The one
// before and the one after are good too, for clocks that differ.

import { Secret, TOTP } from 'otpauth';

const periodSeconds = 30;
const secretBytes = 20;
export const codePattern = /^\d{6}$/;

const totp = (secret: string, username = '') =>
  new TOTP({ issuer: 'Recoup', label: username, secret: Secret.fromBase32(secret), period: periodSeconds });

/** In base32, as apps take it. */
export const newTotpSecret = (): string => new Secret({ size: secretBytes }).base32;

/** What apps read from a picture. */
export const totpUri = (secret: string, username: string): string => totp(secret, username).toString();

/** Which half minute's code it is; undefined when it is none of those that are good now. */
export function stepOfCode(secret: string, code: string, nowMs: number): number | undefined {
  if (!codePattern.test(code)) return undefined;
  const delta = totp(secret).validate({ token: code, timestamp: nowMs, window: 1 });
  return delta === null ? undefined : Math.floor(nowMs / 1_000 / periodSeconds) + delta;
}
