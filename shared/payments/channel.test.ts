import { expect, test } from 'vitest';
import { apiNames, channelBringing, isChannelVariable, readChannels, secretNames } from './channel.ts';
import { schemes } from './schemes.ts';

const whsec = (bytes: number) => `whsec_${Buffer.alloc(bytes, 7).toString('base64')}`;
const faultsOf = (channels: unknown, env: Record<string, unknown> = {}) =>
  readChannels(JSON.stringify(channels), env).faults;

test('what a channel leaves open has its default', () => {
  const { channels, faults } = readChannels(
    '{"bank": {"scheme": "standard"}, "psp": {"scheme": "hmac", "header": "x-sig"}}',
    {},
  );
  expect(faults).toEqual([]);
  const common = { namespace: 'default', conflict: 409, allow: [], events: false, secrets: [] };
  expect(Object.fromEntries(channels)).toEqual({
    bank: { name: 'bank', scheme: 'standard', ...common },
    psp: {
      name: 'psp',
      scheme: 'hmac',
      header: 'x-sig',
      algorithm: 'sha256',
      encoding: 'hex',
      prefix: '',
      ...common,
    },
  });
});

test('everything about a channel can be set', () => {
  const psp = {
    ...{
      scheme: 'hmac',
      header: 'X-Hub-Signature-512',
      algorithm: 'sha512',
      encoding: 'base64',
      prefix: 'sha512=',
    },
    ...{
      timestampHeader: 'X-Time',
      namespace: 'psp-2',
      conflict: 200,
      allow: ['192.0.2.0/24', '2001:db8::1'],
      events: true,
    },
  };
  const { channels, faults } = readChannels(JSON.stringify({ psp }), {
    CHANNEL_PSP_SECRET: 'sixteen letters!',
  });
  expect(faults).toEqual([]);
  expect(channels.get('psp')).toEqual({ ...psp, name: 'psp', secrets: ['sixteen letters!'] });
});

test('a channel has the current secret first, then the previous one; an empty one is none', () => {
  expect(secretNames('my-bank-2')).toEqual(['CHANNEL_MY_BANK_2_SECRET', 'CHANNEL_MY_BANK_2_SECRET_PREVIOUS']);
  const [current, previous] = secretNames('my-bank-2');
  const secretsWith = (env: Record<string, unknown>) =>
    readChannels('{"my-bank-2": {"scheme": "standard"}}', env).channels.get('my-bank-2')?.secrets;
  expect(secretsWith({ [previous]: whsec(24), [current]: whsec(64) })).toEqual([whsec(64), whsec(24)]);
  expect(secretsWith({ [previous]: whsec(24), [current]: '' })).toEqual([whsec(24)]);
  expect(secretsWith({ CHANNEL_BANK_SECRET: whsec(24), CHANNEL_MY_BANK_SECRET: whsec(24) })).toEqual([]);
});

test('every fault of every channel is listed at once', () => {
  const bad = {
    ...{ scheme: 'hmac', algorithm: 'md5', encoding: 'base32', prefix: 5, timestampHeader: 'x time' },
    ...{ namespace: 'Shared_1', conflict: 201, allow: ['10.0.0.0/8', 'anywhere', 7] },
  };
  const misspelt = { scheme: 'standard', secret: 'x', Namespace: 'x' };
  const channels = {
    bad,
    misspelt,
    Bank_1: { scheme: 'jwt' },
    none: null,
    list: { scheme: 'standard', allow: '::1' },
  };
  const env = { CHANNEL_BAD_SECRET: 'short', CHANNEL_MISSPELT_SECRET_PREVIOUS: 'not whsec' };
  const faults = faultsOf(channels, env);
  expect(new Set(faults)).toEqual(
    new Set([
      'bad.header: expected a header name',
      'bad.algorithm: expected sha256, sha384 or sha512',
      'bad.encoding: expected hex or base64',
      'bad.prefix: expected a text',
      'bad.timestampHeader: expected a header name',
      'bad.namespace: expected lower-case letters, digits and hyphens',
      'bad.conflict: expected 409 or 200',
      'bad.allow: expected a list of addresses and CIDR blocks',
      'CHANNEL_BAD_SECRET: expected at least 16 characters',
      'misspelt: unknown setting secret, Namespace',
      'CHANNEL_MISSPELT_SECRET_PREVIOUS: expected whsec_ and 24 to 64 bytes in base64',
      'Bank_1: a name has lower-case letters, digits and hyphens',
      `Bank_1.scheme: expected ${Object.keys(schemes).join(', ')}`,
      `none.scheme: expected ${Object.keys(schemes).join(', ')}`,
      'list.allow: expected a list of addresses and CIDR blocks',
    ]),
  );
  expect(faults).toHaveLength(15);
});

test.each(['a', '0', 'bank-2', 'a'.repeat(63)])('%s can be the name of a channel', (name) => {
  expect(faultsOf({ [name]: { scheme: 'standard' } })).toEqual([]);
});

test.each(['', '-a', 'Bank', 'a_b', 'a b', 'bänk', 'a/b', 'a'.repeat(64)])('%j cannot', (name) => {
  expect(faultsOf({ [name]: { scheme: 'standard' } })).toEqual([
    `${name}: a name has lower-case letters, digits and hyphens`,
  ]);
});

test('a channel named __proto__ is refused like any other bad name', () => {
  const { channels, faults } = readChannels('{"__proto__": {"scheme": "standard"}}', {});
  expect(faults).toHaveLength(1);
  expect(channels.get('toString')).toBe(undefined);
});

test('the namespaces of accepted conflicts are out of every channel’s reach', () => {
  expect(faultsOf({ bank: { scheme: 'standard', namespace: 'conflict:1' } })).toHaveLength(1);
});

test.each([
  ...[whsec(23), whsec(65), 'whsec_', whsec(24).slice('whsec_'.length), ` ${whsec(24)}`, `${whsec(24)}\n`],
  ...[
    `whsec_${'A'.repeat(33)}`,
    `whsec_${'A'.repeat(31)}-`,
    `whsec_${'A'.repeat(32)}===`,
    'whsek_'.padEnd(38, 'A'),
  ],
])('%j is no secret of a standard channel, and the fault does not show it', (secret) => {
  const faults = faultsOf({ bank: { scheme: 'standard' } }, { CHANNEL_BANK_SECRET: secret });
  expect(faults).toEqual(['CHANNEL_BANK_SECRET: expected whsec_ and 24 to 64 bytes in base64']);
});

test.each([24, 25, 26, 32, 64])('a standard channel takes a secret of %d bytes', (bytes) => {
  expect(faultsOf({ bank: { scheme: 'standard' } }, { CHANNEL_BANK_SECRET: whsec(bytes) })).toEqual([]);
});

test.each([
  ['', 'is not JSON'],
  ['{bank}', 'is not JSON'],
  ['[]', 'must be a JSON object: name -> configuration'],
  ['null', 'must be a JSON object: name -> configuration'],
  ['"bank"', 'must be a JSON object: name -> configuration'],
])('%j %s', (json, fault) => {
  expect(readChannels(json, {})).toEqual({ channels: new Map(), faults: [fault] });
});

test('a provider’s channel answers conflicts with 200 unless told, and names the metadata fields by default', () => {
  const { channels, faults } = readChannels(
    '{"psp": {"scheme": "stripe"}, "two": {"scheme": "adyen", "conflict": 409}}',
    {},
  );
  expect(faults).toEqual([]);
  expect(channels.get('psp')).toMatchObject({
    conflict: 200,
    loanAccountField: 'loan_account_number',
    cifField: 'cif',
  });
  expect(channels.get('two')).toMatchObject({ conflict: 409, capture: 'automatic' });
});

test('a channel whose provider is asked has its API’s address and token from the environment', () => {
  const [url, token] = apiNames('my-debits');
  expect([url, token]).toEqual(['CHANNEL_MY_DEBITS_API_URL', 'CHANNEL_MY_DEBITS_API_TOKEN']);
  const apiWith = (env: Record<string, unknown>) =>
    readChannels('{"my-debits": {"scheme": "gocardless"}, "bank": {"scheme": "standard"}}', env);
  expect(apiWith({}).channels.get('my-debits')?.api).toEqual({
    url: 'https://api.gocardless.com',
    token: undefined,
  });
  expect(apiWith({ [url]: 'http://127.0.0.1:1', [token]: 't' }).channels.get('my-debits')?.api).toEqual({
    url: 'http://127.0.0.1:1',
    token: 't',
  });
  expect(apiWith({ CHANNEL_BANK_API_URL: 'x' })).toMatchObject({ faults: [] });
  for (const wrong of ['api.gocardless.com', 'ftp://host', '://']) {
    expect(apiWith({ [url]: wrong }).faults).toEqual([`${url}: expected https://host`]);
  }
});

test('a secret of a channel that has none is not looked at', () => {
  const { channels, faults } = readChannels('{"ach": {"scheme": "plaid", "clientId": "c"}}', {
    CHANNEL_ACH_SECRET: 'x',
  });
  expect(faults).toEqual([]);
  expect(channels.get('ach')?.secrets).toEqual([]);
});

test('a secret that a scheme makes is one that it takes', () => {
  for (const [scheme, { secret }] of Object.entries(schemes)) {
    if (!secret) continue;
    expect(secret.fault(secret.of(new Uint8Array(32).fill(251))), scheme).toBe(undefined);
  }
});

test('the variables of channels are told from others', () => {
  for (const name of [...secretNames('my-bank'), ...apiNames('my-bank')])
    expect(isChannelVariable(name)).toBe(true);
  for (const name of ['CHANNELS', 'CHANNEL_SECRET', 'CHANNEL_X_API_KEY', 'DATABASE_URL']) {
    expect(isChannelVariable(name)).toBe(false);
  }
});

test('a channel brings payments or events, and a provider’s only payments', () => {
  const { channels, faults } = readChannels(
    '{"bank": {"scheme": "standard"}, "crm": {"scheme": "standard", "events": true}, "psp": {"scheme": "stripe"}}',
    {},
  );
  expect(faults).toEqual([]);
  const bringing = (what: 'payments' | 'events') =>
    ['bank', 'crm', 'psp', 'none'].filter((name) => channelBringing(what, channels, name));
  expect(bringing('payments')).toEqual(['bank', 'psp']);
  expect(bringing('events')).toEqual(['crm']);
  expect(faultsOf({ psp: { scheme: 'stripe', events: true } })).toEqual(['psp: unknown setting events']);
  expect(faultsOf({ crm: { scheme: 'standard', events: 'yes' } })).toEqual([
    'crm.events: expected true or false',
  ]);
});
