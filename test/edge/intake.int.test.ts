// What a webhook must be to be looked at: signed over its exact bytes, from where its channel allows, in time, small
// and plain. Every refusal says why in one shape.

import { request } from 'node:http';
import { connect } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  type Answer,
  aPayment,
  ask,
  bytesOf,
  type Delivery,
  deliver,
  deliveryHeaders,
  doors,
  eventually,
  expectProblem,
  newReference,
  read,
  tally,
  webhookUrl,
} from './asking.ts';
import { anySecret, type ChannelName, channel } from './channels.ts';
import { type Edge, runtimesAndContainer } from './runtimes.ts';
import { nowSeconds } from './sign.ts';
import { useWorld } from './world.ts';

const limitBytes = 64 * 1024;
const shortTimeoutMs = 600;
const rateLimit = 12;

/** A payment's body as text, blown up to this many bytes by its metadata. */
function bodyOfSize(bytes: number): string {
  const empty = JSON.stringify(aPayment({ metadata: { filler: '' } }));
  return empty.replace('"filler":""', `"filler":"${'x'.repeat(bytes - empty.length)}"`);
}

describe.each(runtimesAndContainer)('on %s', (runtime) => {
  const world = useWorld(runtime);
  let token: string;
  /** Impatient, and few requests are too many for it. */
  let strict: Edge;
  beforeAll(async () => {
    token = await world.newKey(['payments:read']);
    strict = await world.anotherEdge({
      webhooks: {
        WEBHOOK_TIMEOUT_MS: String(shortTimeoutMs),
        WEBHOOK_RATE_LIMIT_PER_MINUTE: String(rateLimit),
      },
    });
  });

  const send = (body: unknown, delivery: Delivery = {}) => deliver(world.edge, body, delivery);
  const recorded = async (reference: string) =>
    (await read(world.edge, `/api/v1/payments/${encodeURIComponent(reference)}`, token)).text;

  describe('bytes as they came', () => {
    const spellings: Record<string, (reference: string) => string | Buffer> = {
      'keys in another order, spaces and line ends': (reference) =>
        `\r\n{ "metadata" : { "z":1 , "a":[ ] },\n\t"payment_date":"2026-03-10",  "amount" : 100.50 ,"cif":"C",` +
        `\n"reference_number":"${reference}", "loan_account_number" : "L" }\n\n`,
      'a number with a trailing zero': (reference) =>
        `{"reference_number":"${reference}","loan_account_number":"L","cif":"C","amount":100.50,"payment_date":"2026-03-10"}`,
      'unicode, raw and escaped': (reference) =>
        `{"reference_number":"${reference}","loan_account_number":"K\u00f6ln-\\u00e4","cif":"\u540d\u524d","amount":"100.50",` +
        `"payment_date":"2026-03-10","metadata":{"\u{1f600}":"e\u0301 \\ud83d\\ude00 \u2028"}}`,
      'numbers that a double would change': (reference) =>
        `{"reference_number":"${reference}","loan_account_number":"L","cif":"C","amount":9007199254740.93,` +
        `"payment_date":"2026-03-10","metadata":{"a":9007199254740993,"b":10.000000000000000001,"c":0.10}}`,
      'a byte order mark': (reference) =>
        Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytesOf(aPayment({ reference_number: reference }))]),
      'a key that comes twice': (reference) =>
        `{"reference_number":"first","reference_number":"${reference}","loan_account_number":"L","cif":"C",` +
        `"amount":1,"amount":100.50,"payment_date":"2026-03-10"}`,
    };
    const cases = Object.entries(spellings).flatMap(([what, spell]) =>
      (['standard', 'hub', 'plain'] as const).flatMap((name) =>
        doors.map((to) => ({ what, spell, channel: name, to })),
      ),
    );

    test.each(cases)('$what: verified and recorded ($channel, $to)', async ({ spell, channel: name, to }) => {
      const reference = newReference();
      const answer = await send(spell(reference), { to, channel: name });
      expect(answer.status, answer.text).toBe(201);
      expect(await recorded(reference)).toContain(answer.body.payment_id);
    });

    test('digits arrive whole: the amount and every number in the metadata', async () => {
      const reference = newReference();
      await send(spellings['numbers that a double would change']!(reference));
      const text = await recorded(reference);
      expect(text).toContain('"amount":"9007199254740.93"');
      expect(text).toContain('"a":9007199254740993');
      expect(text).toContain('"b":10.000000000000000001');
      expect(text).toContain('"c":0.10');
    });

    test('texts arrive whole, however they were escaped', async () => {
      const reference = newReference();
      await send(spellings['unicode, raw and escaped']!(reference));
      expect(JSON.parse(await recorded(reference))).toMatchObject({
        loanAccountNumber: 'Köln-ä',
        cif: '名前',
        metadata: { '😀': 'e\u0301 😀 \u2028' },
      });
    });

    test('what the official library signs is accepted', async () => {
      const body = JSON.stringify(aPayment());
      const at = new Date();
      const signature = new Webhook(channel('standard').secret!).sign('msg_library', at, body);
      const headers = {
        'webhook-id': 'msg_library',
        'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
        'webhook-signature': signature,
      };
      expect((await send(body, { unsigned: true, headers })).status).toBe(201);
    });
  });

  describe('signatures', () => {
    const signed = ['standard', 'hub', 'plain'] as const;
    const refused = async (answer: Promise<Answer> | Answer) =>
      expectProblem(await answer, 401, 'invalid_signature');

    test.each(signed)('a body that was changed on the way is refused (%s)', async (name) => {
      const body = JSON.stringify(aPayment());
      for (const changed of [body.replace('100.50', '100.51'), `${body} `, body.replace(':', ': ')]) {
        const headers = deliveryHeaders(body, { channel: name });
        for (const to of doors) {
          await refused(send(changed, { to, channel: name, unsigned: true, headers }));
        }
      }
    });

    test.each(signed)('a body without a signature, or with half of one, is refused (%s)', async (name) => {
      const body = JSON.stringify(aPayment());
      for (const to of doors) await refused(send(body, { to, channel: name, unsigned: true }));
      const whole = deliveryHeaders(body, { channel: name });
      for (const header of Object.keys(whole).filter((key) => key !== 'content-type')) {
        const { [header]: _, ...headers } = whole;
        await refused(send(body, { channel: name, unsigned: true, headers }));
        await refused(send(body, { channel: name, unsigned: true, headers: { ...whole, [header]: '' } }));
        await refused(send(body, { channel: name, unsigned: true, headers: { ...whole, [header]: 'x' } }));
      }
    });

    test.each(signed)('a signature by another secret is refused (%s)', async (name) => {
      const secret = channel(name).configuration.scheme === 'standard' ? anySecret : 'some-other-secret';
      await refused(send(aPayment(), { channel: name, secret }));
    });

    test('a signature for one channel is none for another', async () => {
      const body = aPayment();
      const headers = deliveryHeaders(body, { channel: 'standard' });
      await refused(send(body, { channel: 'partner', unsigned: true, headers }));
    });

    test.each(['standard', 'hub'] as const)('a timestamp may be 300 s off and no more (%s)', async (name) => {
      for (const off of [-290, 290]) {
        const answer = await send(aPayment(), { channel: name, at: nowSeconds() + off });
        expect(answer.status, `${off} s`).toBe(201);
      }
      for (const off of [-310, 310, -86_400]) {
        const body = await refused(send(aPayment(), { channel: name, at: nowSeconds() + off }));
        expect(body.detail).toMatch(/300 seconds/);
      }
    });

    test('a timestamp that was changed after signing is refused', async () => {
      const body = aPayment();
      const headers = {
        ...deliveryHeaders(body, { channel: 'hub', at: nowSeconds() - 3600 }),
        'x-hub-timestamp': String(nowSeconds()),
      };
      await refused(send(body, { channel: 'hub', unsigned: true, headers }));
    });

    test.each(['standard', 'hub'] as const)('while a secret is rotated both are good (%s)', async (name) => {
      const { secret, previous } = channel(name);
      expect((await send(aPayment(), { channel: name, secret: secret! })).status).toBe(201);
      expect((await send(aPayment(), { channel: name, secret: previous! })).status).toBe(201);
    });

    test('a sender that rotates signs with both, and one that we know is enough', async () => {
      const known = channel('standard').secret!;
      expect((await send(aPayment(), { secret: known, alsoWith: anySecret })).status).toBe(201);
    });

    test('a channel without a secret accepts nothing, whatever it is signed with', async () => {
      for (const secret of [anySecret, '', channel('standard').secret!]) {
        const body = await refused(send(aPayment(), { channel: 'no-secret', secret }));
        expect(body.detail).toMatch(/until it has a secret/);
      }
    });

    test('nothing that was refused has left a trace', async () => {
      const body = aPayment();
      await refused(send(body, { unsigned: true }));
      await refused(send(body, { secret: anySecret }));
      const found = await world.db.query(
        'select 1 from payment_service.payment_references where reference_number = $1',
        [body.reference_number],
      );
      expect(found).toEqual([]);
    });
  });

  describe('addresses', () => {
    test.each(doors)(
      'an address outside the channel’s list is refused, whatever it claims (%s)',
      async (to) => {
        const claims = ['203.0.113.9', '2001:db8::1', '::ffff:203.0.113.9'].flatMap((address) =>
          ['cf-connecting-ip', 'CF-Connecting-IP', 'x-forwarded-for', 'x-real-ip', 'true-client-ip'].map(
            (header) => ({ [header]: address }),
          ),
        );
        const forwarded = { forwarded: 'for=203.0.113.9', 'cf-connecting-ipv6': '2001:db8::1' };
        for (const headers of [{}, ...claims, forwarded]) {
          const answer = await send(aPayment(), { to, channel: 'fenced', headers });
          expectProblem(answer, 403, 'address_not_allowed');
        }
      },
    );

    test.each(doors)('an address on the list is let in (%s)', async (to) => {
      expect((await send(aPayment(), { to, channel: 'near' })).status).toBe(201);
      const headers = { 'cf-connecting-ip': '198.51.100.1', 'x-forwarded-for': '198.51.100.1' };
      expect((await send(aPayment(), { to, channel: 'near', headers })).status).toBe(201);
    });
  });

  describe('bodies', () => {
    test('a third decimal is refused where the currency has two', async () => {
      for (const amount of ['100.505', '100.500', '0.001']) {
        const text = `{"amount":${amount},${JSON.stringify(aPayment({ amount: undefined })).slice(1)}`;
        const { errors } = expectProblem(await send(text), 422, 'invalid_request');
        expect(errors).toEqual([
          { field: 'amount', code: 'too_many_decimals', message: 'has more decimals than its currency' },
        ]);
      }
      const yen = await send(aPayment({ amount: '100.5', currency: 'JPY' }));
      expect(expectProblem(yen, 422, 'invalid_request').errors).toMatchObject([
        { code: 'too_many_decimals' },
      ]);
      expect((await send(aPayment({ amount: '100.505', currency: 'KWD' }))).status).toBe(201);
      expect((await send(aPayment({ amount: 100, currency: 'JPY' }))).status).toBe(201);
    });

    test.each([
      ['0', 'not_positive'],
      ['-1', 'not_positive'],
      ['1e13', 'too_large'],
      ['10000000000000.00', 'too_large'],
      ['"1,000.00"', 'not_a_number'],
      ['"0x10"', 'not_a_number'],
      ['" 1"', 'not_a_number'],
    ])('an amount of %s is refused as %s', async (amount, code) => {
      const text = `{"amount":${amount},${JSON.stringify(aPayment({ amount: undefined })).slice(1)}`;
      const { errors } = expectProblem(await send(text), 422, 'invalid_request');
      expect(errors).toMatchObject([{ field: 'amount', code }]);
    });

    test('the largest and the smallest amount are taken exactly', async () => {
      for (const amount of ['9999999999999.99', '0.01']) {
        const reference = newReference();
        expect((await send(aPayment({ reference_number: reference, amount }))).status).toBe(201);
        expect(JSON.parse(await recorded(reference)).amount).toBe(amount);
      }
    });

    test('every field at fault is named at once', async () => {
      const fields = (answer: Answer) =>
        expectProblem(answer, 422, 'invalid_request')
          .errors.map((error: { field: string }) => error.field)
          .sort();
      const required = ['amount', 'cif', 'loan_account_number', 'payment_date', 'reference_number'];
      expect(fields(await send({}))).toEqual(required);
      const all = {
        reference_number: 'x'.repeat(256),
        loan_account_number: ' padded',
        cif: 7,
        amount: '1.005',
        currency: 'EUR',
        payment_date: '2026-02-30',
        payment_channel: '',
        metadata: [],
      };
      expect(fields(await send(all))).toEqual([...required, 'metadata', 'payment_channel'].sort());
      expect(fields(await send(aPayment({ currency: 'XXQ' })))).toEqual(['currency']);
      for (const { message } of (await send(all)).body.errors) expect(message).not.toMatch(/x{20}|padded/);
    });

    test.each(['[]', '"text"', '7', 'null'])('%s is no payment', async (text) => {
      const { errors } = expectProblem(await send(text), 422, 'invalid_request');
      expect(errors).toMatchObject([{ field: 'body' }]);
    });

    test.each<[string, string | Buffer]>([
      ['nothing', ''],
      ['half of it', '{"reference_number":"x"'],
      ['something behind it', '{} {}'],
      ['no JSON', 'reference_number=x'],
      ['bytes that are no UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
      ['U+0000 in a text', '{"reference_number":"a\\u0000b"}'],
      ['half a character', '{"reference_number":"\\ud83d"}'],
      ['a number beyond every double', '{"amount":1e999}'],
      ['brackets without end', '['.repeat(10_000)],
    ])('a body with %s is malformed', async (_, body) => {
      for (const to of doors) expectProblem(await send(body, { to }), 400, 'malformed_body');
    });

    test.each(doors)('only plain JSON is read (%s)', async (to) => {
      const wrong: Record<string, string>[] = [
        { 'content-type': 'text/plain' },
        { 'content-type': 'application/x-www-form-urlencoded' },
        { 'content-type': '' },
        { 'content-encoding': 'gzip' },
        { 'content-encoding': 'br, identity' },
      ];
      for (const headers of wrong) {
        expectProblem(await send(aPayment(), { to, headers }), 415, 'unsupported_media_type');
      }
      const right: Record<string, string>[] = [
        { 'content-type': 'application/json; charset=utf-8' },
        { 'content-type': 'Application/JSON' },
        { 'content-type': 'application/vnd.partner+json' },
        { 'content-encoding': 'identity' },
      ];
      for (const headers of right) {
        const answer = await send(aPayment(), { to, headers });
        expect(answer.status, JSON.stringify(headers)).toBe(201);
      }
    });

    test.each(doors)('a body of 64 KiB is read, one byte more is not (%s)', async (to) => {
      expect((await send(bodyOfSize(limitBytes), { to })).status).toBe(201);
      for (const bytes of [limitBytes + 1, limitBytes * 4]) {
        expectProblem(await send(bodyOfSize(bytes), { to }), 413, 'body_too_large');
      }
    });

    test.each(doors)('a body whose length nobody told is measured as it comes (%s)', async (to) => {
      expect((await sendInChunks(bodyOfSize(limitBytes), to)).status).toBe(201);
      for (const bytes of [limitBytes + 1, limitBytes * 4]) {
        const answer = await sendInChunks(bodyOfSize(bytes), to);
        expectProblem(answer, 413, 'body_too_large');
      }
      const body = JSON.stringify(aPayment());
      expect((await sendInChunks(body, to, 1)).status).toBe(201);
    });

    /** Without content-length, so many bytes at a time. */
    function sendInChunks(body: string, to: Delivery['to'], size = 8192): Promise<Answer> {
      return new Promise((resolve, reject) => {
        const headers = deliveryHeaders(body, {});
        const options = { method: 'POST', headers, timeout: 10_000 };
        const call = request(webhookUrl(world.edge, { to }), options, async (response) => {
          let text = '';
          for await (const chunk of response) text += chunk;
          const answered = new Headers(response.headers as Record<string, string>);
          resolve({
            status: response.statusCode ?? 0,
            headers: answered,
            text,
            body: JSON.parse(text),
            ms: 0,
          });
        });
        call.on('error', reject);
        for (let i = 0; i < body.length; i += size) call.write(body.slice(i, i + size));
        call.end();
      });
    }
  });

  describe('patience', () => {
    /** Sends half a body on a connection of its own and waits for whatever comes. */
    function sendHalf(edge: Edge, delivery: Delivery) {
      const body = JSON.stringify(aPayment());
      const url = new URL(webhookUrl(edge, delivery));
      const head = Object.entries({
        ...deliveryHeaders(body, delivery),
        host: url.host,
        'content-length': body.length,
      });
      const socket = connect(Number(url.port), url.hostname);
      socket.write(
        `POST ${url.pathname} HTTP/1.1\r\n${head.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n` +
          body.slice(0, body.length / 2),
      );
      const answer = new Promise<string>((resolve) => {
        let text = '';
        socket.setTimeout(8_000, () => socket.destroy());
        socket.on('error', () => {});
        socket.on('close', () => resolve(text));
        socket.on('data', (data) => {
          text += data;
          if (/\r\n\r\n.*\}/s.test(text)) socket.destroy();
        });
      });
      return { socket, answer };
    }

    test.each(doors)('a sender that stops half-way is told so in time (%s)', async (to) => {
      const started = performance.now();
      const text = await sendHalf(strict, { to, channel: 'quiet' }).answer;
      const ms = performance.now() - started;
      expect(text).toMatch(/^HTTP\/1\.1 408 /);
      expect(text).toContain('"code":"request_timeout"');
      expect(ms).toBeGreaterThan(shortTimeoutMs - 50);
      expect(ms).toBeLessThan(shortTimeoutMs + 2_000);
    });

    test.each(doors)('a sender that hangs up half-way disturbs nobody (%s)', async (to) => {
      const { socket, answer } = sendHalf(world.edge, { to });
      await new Promise((resolve) => setTimeout(resolve, 100));
      socket.destroy();
      await answer;
      expect((await send(aPayment(), { to })).status).toBe(201);
      expect(world.edge.log()).not.toMatch(/"level":"error"/);
    });

    test('a source that sends too much is told when to come back, and others are served', async () => {
      const answers: Answer[] = [];
      /** While Redis is slow everybody passes, so it is tried for a while. */
      const exhaust = () =>
        eventually(
          async () => {
            for (let i = 0; i <= rateLimit && answers.at(-1)?.status !== 429; i++) {
              answers.push(await deliver(strict, {}, { channel: 'busy', unsigned: true }));
            }
            return answers.at(-1)!;
          },
          ({ status }) => status === 429,
          10_000,
        );
      let last = await exhaust();
      expectProblem(last, 429, 'rate_limited');
      expect(tally(answers)[401]).toBeGreaterThanOrEqual(rateLimit);
      expect(last.headers.get('retry-after')).toMatch(/^([1-9]|[1-5]\d|60)$/);
      const seconds = Number(last.headers.get('retry-after'));
      if (seconds < 5) {
        // A new minute is about to begin.
        await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
        answers.length = 0;
        last = await exhaust();
      }
      // It is the same for the next request and at the other door; a signature does not help.
      const next = await deliver(strict, aPayment(), { channel: 'busy', to: 'webhooks' });
      expectProblem(next, 429, 'rate_limited');
      expect((await deliver(strict, aPayment(), { channel: 'quiet' })).status).toBe(201);
    });
  });

  describe('what every answer has', () => {
    const webhook = '/api/v1/payments/webhook';

    test.each(doors)('the request’s id is the sender’s when it is one, or a new one (%s)', async (to) => {
      for (const given of ['12345678', 'req_ABC-def-0123456789', 'x'.repeat(64)]) {
        const refusal = await send({}, { to, headers: { 'x-request-id': given } });
        expect(expectProblem(refusal, 422, 'invalid_request').requestId).toBe(given);
        const taken = await send(aPayment(), { to, headers: { 'x-request-id': given } });
        expect(taken.headers.get('x-request-id')).toBe(given);
      }
      for (const given of ['short', 'x'.repeat(65), 'with space 12345', 'quote"12345678', 'a,b,c,d,e,f']) {
        const { requestId } = expectProblem(
          await send({}, { to, headers: { 'x-request-id': given } }),
          422,
          'invalid_request',
        );
        expect(requestId).not.toBe(given);
      }
      const ids = await Promise.all(Array.from({ length: 5 }, () => send({}, { to })));
      expect(new Set(ids.map((answer) => answer.headers.get('x-request-id'))).size).toBe(5);
    });

    test('a channel that is not configured is unknown', async () => {
      for (const to of doors) {
        for (const name of ['unheard-of', 'constructor', '__proto__', 'STANDARD', '%20']) {
          const url = `${world.edge.urls[to]}${webhook}/${name}`;
          const headers = { 'content-type': 'application/json' };
          expectProblem(await ask(url, { method: 'POST', body: '{}', headers }), 404, 'unknown_channel');
        }
      }
    });

    test('a path or a method that nobody serves is a problem like any other', async () => {
      const { api, webhooks, auth } = world.edge.urls;
      const calls: [method: string, url: string, allowed?: string][] = [
        ['GET', `${api}/`],
        ['GET', `${api}/nowhere`],
        ['POST', `${api}/health`, 'GET'],
        ['DELETE', `${api}${webhook}`, 'GET, POST'],
        ['PUT', `${api}${webhook}/standard`, 'POST'],
        ['POST', `${api}${webhook}/standard/more`],
        ['GET', `${api}/api/v1/auth/nowhere`],
        ['DELETE', `${api}/api/v1/payment-conflicts`, 'GET'],
        ['GET', `${api}/api/v1/dead-letters/replay`, 'POST'],
        ['GET', `${api}/api/v1/dead-letters/1`],
        ['PUT', `${api}/api/v1/users/1`, 'GET, PATCH'],
        ['GET', `${webhooks}${webhook}`, 'POST'],
        ['GET', `${webhooks}/`],
        ['GET', `${webhooks}/api/v1/payments/x`],
        ['GET', `${webhooks}/metrics`],
        ['POST', `${auth}/api/v1/auth/me`, 'GET'],
      ];
      const key = await world.newKey(['dead-letters:read']);
      for (const [method, url, allowed] of calls) {
        const answer = await ask(url, { method, headers: { authorization: `Bearer ${key}` } });
        const [status, code] = allowed ? [405, 'method_not_allowed'] : [404, 'not_found'];
        expect([answer.status, method, url]).toEqual([status, method, url]);
        expectProblem(answer, status as number, code as string);
        expect(answer.headers.get('allow')).toBe(allowed ?? null);
      }
    });
  });

  test.each<[ChannelName, string]>([
    ['standard', 'channel:standard'],
    ['hub', 'channel:hub'],
  ])('a payment says by which channel it came (%s)', async (name, actor) => {
    const named = aPayment({ payment_channel: 'counter' });
    const unnamed = aPayment();
    await send(named, { channel: name });
    await send(unnamed, { channel: name });
    const [first] = await world.db.query(
      'select payment_channel, actor, source from payment_service.payments where reference_number = $1',
      [named.reference_number],
    );
    expect(first).toEqual({ payment_channel: 'counter', actor, source: 'webhook' });
    expect(JSON.parse(await recorded(unnamed.reference_number)).paymentChannel).toBe(name);
  });
});
