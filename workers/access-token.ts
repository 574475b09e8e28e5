// Access tokens: short-lived ES256 JWTs that say which session or key the bearer has. They are a name and no more: the
// session or key itself is looked up, so that what is revoked ends before its tokens do.

import { type JWTVerifyGetKey, jwtVerify } from 'jose';
import { JOSEError } from 'jose/errors';
import { isUuid } from '../shared/id.ts';

export const tokenIssuer = 'urn:recoup:auth';
export const tokenAudience = 'urn:recoup:api';
export const tokenAlgorithm = 'ES256';
export const tokenType = 'at+jwt';

/** Either a person's session, or a service's key and what of it the token is for. */
export type TokenSubject = { expiresAt: Date } & (
  | { session: string }
  | { keyPrefix: string; scopes: readonly string[] | undefined }
);

/** Undefined for whatever is not a token of ours that is good now. A fault of the keys' source is thrown. */
export async function verifyAccessToken(
  token: string,
  keys: JWTVerifyGetKey,
): Promise<TokenSubject | undefined> {
  try {
    const { payload } = await jwtVerify(token, keys, {
      issuer: tokenIssuer,
      audience: tokenAudience,
      algorithms: [tokenAlgorithm],
      typ: tokenType,
      requiredClaims: ['exp', 'iat', 'sub'],
    });
    const { sid, key, scope, exp } = payload;
    const expiresAt = new Date(Number(exp) * 1_000);
    if (typeof sid === 'string' && isUuid(sid)) return { session: sid, expiresAt };
    if (typeof key !== 'string') return undefined;
    return { keyPrefix: key, scopes: typeof scope === 'string' ? scope.split(' ') : undefined, expiresAt };
  } catch (error) {
    if (error instanceof JOSEError && error.code !== 'ERR_JWKS_TIMEOUT') return undefined;
    throw error;
  }
}
