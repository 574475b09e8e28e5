// Attacks on what makes a caller: tokens that are signed well and say the wrong things, headers that lead a verifier
// astray, one kind of secret in another's place. Tokens of another key are in callers.int.test.ts.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type CryptoKey,
  calculateJwkThumbprint,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  importJWK,
  type JWK,
  type JWTPayload,
  SignJWT,
} from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask, expectProblem, read } from './asking.ts';
import { newPersonWithPassword, password, postJson, token } from './signing-in.ts';
import { unlimited, useWorld } from './world.ts';

const now = () => Math.floor(Date.now() / 1_000);
const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');

describe.each(['workerd', 'node'] as const)('on %s', (runtime) => {
  const world = useWorld(runtime, { api: unlimited, auth: unlimited });
  /** Where forged headers say that the key is. */
  const asked: string[] = [];
  const elsewhere = createServer((request, answer) => {
    asked.push(request.url ?? '');
    answer.setHeader('content-type', 'application/json').end(JSON.stringify(attacker.set));
  });
  const attacker = {} as { key: CryptoKey; jwk: JWK; set: object; url: string };

  beforeAll(async () => {
    await new Promise<void>((resolve) => void elsewhere.listen(0, '127.0.0.1', resolve));
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
    const jwk = await exportJWK(publicKey);
    const kid = await calculateJwkThumbprint(jwk);
    const url = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}`;
    const set = { keys: [{ ...jwk, kid, alg: 'ES256', use: 'sig' }] };
    Object.assign(attacker, { key: privateKey, jwk: { ...jwk, kid }, set, url });
  });
  afterAll(() => void elsewhere.close());

  /** The very key of this deployment. */
  const ownKey = () => JSON.parse(world.edgeOptions().settings.auth.TOKEN_KEYS as string).keys[0] as JWK;
  const sign = async (claims: JWTPayload, header: object = {}, key?: CryptoKey) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: ownKey().kid as string, ...header })
      .sign(key ?? (await importJWK(ownKey(), 'ES256')));
  const good = async () => {
    const { username, accessToken } = await world.newPerson(['operations']);
    const payload = JSON.parse(Buffer.from(accessToken.split('.')[1] as string, 'base64url').toString());
    return { ...payload, sub: username, iat: now(), exp: now() + 300 } as JWTPayload;
  };
  const jobs = (credential: string) => read(world.edge, '/api/v1/jobs', credential);
  const validate = (credential: string) =>
    postJson(world.edge, '/api/v1/auth/token/validate', { token: credential });

  async function expectRefused(credential: string) {
    expectProblem(await jobs(credential), 401, 'unauthenticated');
    expect((await validate(credential)).body).toEqual({ valid: false });
  }

  test('a token that is signed well is refused when it has expired, is early, or is for or from somebody else', async () => {
    const claims = await good();
    expect((await jobs(await sign(claims))).status).toBe(200);
    const { exp: _, ...forEver } = claims;
    const { iat: __, ...undated } = claims;
    const { sub: ___, ...nobodys } = claims;
    for (const wrong of [
      { ...claims, exp: now() - 1 },
      { ...claims, nbf: now() + 60 },
      { ...claims, aud: 'urn:recoup:console' },
      { ...claims, aud: ['urn:recoup', 'urn:recoup:api:'] },
      { ...claims, aud: undefined },
      { ...claims, iss: 'https://accounts.example.com' },
      { ...claims, iss: 'urn:recoup:auth/' },
      { ...claims, iss: undefined },
      { ...claims, sid: undefined },
      { ...claims, sid: "' or true --" },
      { ...claims, sid: [claims.sid] },
      { ...claims, sid: undefined, key: '%' },
      ...[forEver, undated, nobodys],
    ]) {
      await expectRefused(await sign(wrong as JWTPayload));
    }
    // Of another kind: what tells a program who somebody is opens nothing.
    for (const typ of ['JWT', 'id+jwt', 'logout+jwt', undefined])
      await expectRefused(await sign(claims, { typ }));
  });

  test('what a token says of roles and permissions counts for nothing', async () => {
    const { accessToken } = await world.newPerson(['agent']);
    const payload = JSON.parse(Buffer.from(accessToken.split('.')[1] as string, 'base64url').toString());
    const more = { roles: ['admin'], permissions: { 'jobs:read': 'all' }, scope: 'jobs:read', admin: true };
    expectProblem(await jobs(await sign({ ...payload, ...more })), 404, 'not_found');
    const key = await world.newKey(['payments:read']);
    const forKey = { key: key.split('_')[1], sub: 'x', iat: now(), exp: now() + 60 };
    const widened = await sign({ ...payload, ...forKey, sid: undefined, scope: 'jobs:read payments:read' });
    expectProblem(await jobs(widened), 404, 'not_found');
  });

  test('an algorithm is not the token’s to choose', async () => {
    const claims = await good();
    const { d: _, ...publicJwk } = ownKey();
    const published = await importJWK({ ...publicJwk, alg: 'ES256' }, 'ES256', { extractable: true });
    const pem = await exportSPKI(published as CryptoKey);
    const header = { typ: 'at+jwt', kid: ownKey().kid };
    const [head, body, signature] = (await sign(claims)).split('.') as [string, string, string];
    for (const secret of [pem, pem.trim(), JSON.stringify(publicJwk), publicJwk.x as string, '']) {
      const bytes = secret === '' ? new Uint8Array(32) : new TextEncoder().encode(secret);
      await expectRefused(
        await new SignJWT(claims).setProtectedHeader({ ...header, alg: 'HS256' }).sign(bytes),
      );
    }
    for (const alg of ['none', 'None', 'NONE', 'nOnE', '', 'ES256 ', 'RS256', 'HS256', undefined, null]) {
      for (const end of ['', signature]) await expectRefused(`${encode({ ...header, alg })}.${body}.${end}`);
    }
    // All zero is a valid signature of anything where nobody looks at its range.
    await expectRefused(`${head}.${body}.${'A'.repeat(86)}`);
    const { privateKey } = await generateKeyPair('ES384');
    await expectRefused(
      await new SignJWT(claims).setProtectedHeader({ ...header, alg: 'ES384' }).sign(privateKey),
    );
  });

  test('a header leads to no other key, and nothing is fetched from where it points', async () => {
    const claims = await good();
    for (const header of [
      ...[{ jku: `${attacker.url}/jwks.json` }, { x5u: `${attacker.url}/cert.pem` }],
      ...[{ jwk: attacker.jwk }, { x5c: ['MIIB'] }, { kid: attacker.jwk.kid }, { kid: undefined }],
      ...[
        { kid: '../../../../dev/null' },
        { kid: "x' union select 'AAAA' --" },
        { kid: `${attacker.url}/key` },
      ],
      { jku: `${attacker.url}/jwks.json`, jwk: attacker.jwk, kid: attacker.jwk.kid },
    ]) {
      await expectRefused(await sign(claims, header, attacker.key));
    }
    const critical = { alg: 'ES256', typ: 'at+jwt', kid: ownKey().kid, crit: ['exp'], exp: 1 };
    const [, body, signature] = (await sign(claims)).split('.');
    await expectRefused(`${encode(critical)}.${body}.${signature}`);
    expect(asked).toEqual([]);
  });

  test('one kind of secret is good for nothing in the place of another', async () => {
    const person = await newPersonWithPassword(world, ['operations']);
    const grant = { grant_type: 'password', username: person.username, password };
    const { access_token, refresh_token } = (await token(world.edge, grant)).body;
    const key = await world.newKey(['jobs:read']);
    const cookie = person.cookie.split('=')[1] as string;
    for (const credential of [refresh_token, cookie]) await expectRefused(credential);
    expect((await validate(key)).body).toEqual({ valid: false });
    const prefix = key.split('_')[1] as string;
    for (const secret of [access_token, refresh_token, cookie]) {
      const asClient = await token(world.edge, {
        ...{ grant_type: 'client_credentials', client_id: prefix, client_secret: secret },
      });
      expect(asClient.body.error).toBe('invalid_client');
    }
    for (const given of [access_token, key, cookie, `rt_${cookie}`]) {
      const refreshed = await token(world.edge, { grant_type: 'refresh_token', refresh_token: given });
      expect(refreshed.body.error).toBe('invalid_grant');
    }
    for (const value of [access_token, refresh_token, key, `${cookie}.${cookie}`]) {
      const headers = { cookie: `__Host-recoup_session=${value}` };
      expect((await ask(`${world.edge.urls.api}/api/v1/jobs`, { headers })).status).toBe(401);
    }
    // All of this has spent nothing.
    expect((await token(world.edge, { grant_type: 'refresh_token', refresh_token })).status).toBe(200);
  });
});
