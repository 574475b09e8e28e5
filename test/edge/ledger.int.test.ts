// Staff act through the ledger: each command once, told early when the ledger is away and honestly when nobody knows; and what
// one person may not do alone waits for a second one.

import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { executeRequest } from '../../shared/approvals/execute-request.ts';
import { entriesOf } from '../../shared/audit/testing.ts';
import { foldInto } from '../../shared/read/testing.ts';
import { event } from '../../shared/servicing/testing.ts';
import { type Answer, ask, expectProblem, read } from './asking.ts';
import { oneRuntime } from './runtimes.ts';
import { type TestPerson, useWorld } from './world.ts';

const ledgerPermissions = {
  'ledger:read': 'all',
  'ledger:repay': 'all',
  'ledger:fees': 'all',
  'ledger:waive': 'all',
  'ledger:write-off': 'all',
  'ledger:adjust': 'all',
  'ledger:disburse': 'all',
  'requests:read': 'all',
  'requests:decide': 'all',
} as const;

describe.each(oneRuntime)('on %s', (runtime) => {
  const world = useWorld(runtime, { api: { LEDGER_GATEWAY_TIMEOUT_MS: '700' } });
  let maker: TestPerson & { role: string };
  let checker: TestPerson & { role: string };
  let other: TestPerson & { role: string };
  let loans = 0;
  let loan: string;

  beforeAll(async () => {
    maker = await world.newPersonWith(ledgerPermissions);
    checker = await world.newPersonWith(ledgerPermissions);
    other = await world.newPersonWith(ledgerPermissions);
  });
  beforeEach(async () => {
    loan = `L-${++loans}`;
    const made = { account_id: loan, account_number: `N-${loans}`, customer_id: 'C-1' };
    await foldInto(world.db, [event('account.created.v1', made)]);
    await world.ledger.open(loan);
  });

  const call = (
    method: string,
    path: string,
    who: { accessToken: string } | string,
    body?: unknown,
    key?: string,
  ) =>
    ask(`${world.edge.urls.api}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${typeof who === 'string' ? who : who.accessToken}`,
        'content-type': 'application/json',
        ...(key === undefined ? {} : { 'idempotency-key': key }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const command = (
    what: string,
    body: unknown,
    key: string = crypto.randomUUID(),
    who: TestPerson | string = maker,
  ) => call('POST', `/api/v1/ledger/accounts/${loan}/${what}`, who, body, key);
  const decide = (id: string, what: string, body: object = {}, who: TestPerson | string = checker) =>
    call('POST', `/api/v1/approval-requests/${id}/${what}`, who, body);
  const owed = async () =>
    (await world.ledger.call('accounting/GetBalance', { loanAccountId: loan })).body.totalOutstanding;
  const setLimit = (kind: string, amount: string) =>
    world.db.query(
      `insert into approvals.limits (role, kind, currency, amount, set_by) values ($1, $2, 'EUR', $3, 'test')
       on conflict (role, kind, currency) do update set amount = excluded.amount`,
      [maker.role, kind, amount],
    );
  const outbox = (destination: string) =>
    world.db.query<{ topic: string; key: string; event_id: string; payload: string }>(
      'select topic, key, event_id, payload from outbox.messages where destination = $1 and key = $2 order by position',
      [destination, loan],
    );
  async function requested(body: object = { amount: '100.00', reason: 'gone away' }, what = 'write-off') {
    const answer = await command(what, body);
    expect(answer.status, answer.text).toBe(202);
    return answer.body as { id: string; facts: { version: string } };
  }
  /** As the relay of containers/posting does. */
  const execute = (payload: string) =>
    executeRequest(
      world.db,
      {
        async call({ service, method, message }, actor) {
          const { status, body } = await world.ledger.call(`${service}/${method}`, message, actor);
          if (status === 200) return { ok: true, answer: body };
          return { ok: false, refusal: { code: String(body.code), message: String(body.detail) } };
        },
      },
      payload,
    );

  test('a loan is read by any of its names, and only as the ledger has it now', async () => {
    for (const name of [loan, `N-${loans}`]) {
      const { body } = await read(world.edge, `/api/v1/ledger/accounts/${name}/balance`, maker.accessToken);
      expect(body).toMatchObject({
        accountId: loan,
        totalOutstanding: '500.00',
        suspense: '0.00',
        version: expect.any(String),
      });
    }
    const nobody = await read(world.edge, '/api/v1/ledger/accounts/no-such/balance', maker.accessToken);
    expectProblem(nobody, 404, 'not_found');
    await foldInto(world.db, [event('account.created.v1', { account_id: 'none-there' })]);
    const unknown = await read(world.edge, '/api/v1/ledger/accounts/none-there/balance', maker.accessToken);
    expectProblem(unknown, 404, 'unknown_to_ledger');
    world.ledger.mood = 'foreign';
    const foreign = await read(world.edge, `/api/v1/ledger/accounts/${loan}/balance`, maker.accessToken);
    expect(foreign.body).toMatchObject({ totalOutstanding: '500.00', interest: null, version: null });
    const past = await read(
      world.edge,
      `/api/v1/ledger/accounts/${loan}/balance?asOf=2026-10-01`,
      maker.accessToken,
    );
    expectProblem(past, 501, 'not_supported_by_ledger');
  });

  test('a command happens once however often and however many at a time it is sent', async () => {
    const body = { amount: '60.00', currency: 'EUR', paymentMethod: 'card' };
    expectProblem(
      await call('POST', `/api/v1/ledger/accounts/${loan}/repayment`, maker, body),
      400,
      'idempotency_key_required',
    );
    const key = crypto.randomUUID();
    const answers = await Promise.all([1, 2, 3, 4].map(() => command('repayment', body, key)));
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201]);
    expect(new Set(answers.map((one) => one.body.transactionId)).size).toBe(1);
    expect(answers.filter((one) => one.headers.get('idempotency-replayed') === 'true')).toHaveLength(3);
    expect(answers[0]?.body.allocation).toMatchObject({ fees: '40.00', principal: '20.00' });
    expect(await owed()).toBe('440.00');
    expectProblem(
      await command('repayment', { ...body, amount: '61.00' }, key),
      422,
      'idempotency_key_reused',
    );
    expectProblem(
      await command('late-fee', { amount: '60.00', daysPastDue: 3 }, key),
      422,
      'idempotency_key_reused',
    );
    // The same key of somebody else is another key.
    expect((await command('repayment', body, key, checker)).body.transactionId).not.toBe(
      answers[0]?.body.transactionId,
    );
    expect(await owed()).toBe('380.00');
  });

  test('an amount is exact or refused', async () => {
    const fields = async (body: object) => {
      const { errors } = expectProblem(await command('repayment', body), 422, 'invalid_request');
      return errors.map(({ field, code }: { field: string; code: string }) => [field, code]);
    };
    expect(await fields({ amount: '1.005' })).toEqual([['amount', 'too_many_decimals']]);
    expect(await fields({ amount: '1.00', currency: 'USD' })).toEqual([['currency', 'currency_mismatch']]);
    expect(await fields({ amount: '0.00' })).toEqual([['amount', 'invalid']]);
    expect(await fields({ amount: 1 })).toEqual([['amount', 'invalid']]);
    expect(await owed()).toBe('500.00');
  });

  test('a ledger that is away is told before anything is sent, and nothing is kept to be done later', async () => {
    const key = crypto.randomUUID();
    for (const mood of ['away', 'hanging'] as const) {
      Object.assign(world.ledger, { mood, sparesReads: false });
      for (const [what, body] of [
        ['repayment', { amount: '10.00' }],
        ['write-off', { reason: 'gone' }],
      ] as const) {
        const answer = await command(what, body, key);
        expectProblem(answer, 503, 'ledger_unavailable');
        expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
      }
    }
    world.ledger.mood = 'well';
    expect(await owed()).toBe('500.00');
    expect(await outbox('requests')).toEqual([]);
    expect((await command('repayment', { amount: '10.00' }, key)).status).toBe(201);
  });

  test.each(['lost', 'late'] as const)(
    'an outcome that got lost (%s) is told as such, and the same key finds out without doing it again',
    async (mood) => {
      const key = crypto.randomUUID();
      world.ledger.mood = mood;
      const { lookAt } = expectProblem(
        await command('repayment', { amount: '10.00' }, key),
        504,
        'outcome_unknown',
      );
      expect(lookAt).toBe(`/api/v1/ledger/accounts/${loan}/transactions`);
      world.ledger.mood = 'well';
      const answer = await command('repayment', { amount: '10.00' }, key);
      expect([answer.status, answer.headers.get('idempotency-replayed')]).toEqual([201, 'true']);
      expect(await owed()).toBe('490.00');
    },
  );

  test('one that was never sent is told as unknown and done by the repetition', async () => {
    const key = crypto.randomUUID();
    world.ledger.mood = 'hanging';
    expectProblem(await command('repayment', { amount: '10.00' }, key), 504, 'outcome_unknown');
    expect(await owed()).toBe('500.00');
    world.ledger.mood = 'well';
    expect((await command('repayment', { amount: '10.00' }, key)).status).toBe(201);
    expect(await owed()).toBe('490.00');
  });

  test('what the ledger refuses is told with its reason', async () => {
    await setLimit('fee_waiver', '1000.00');
    const waiver = await command('waive-fee', { fees: [{ amount: '41.00' }], reason: 'goodwill' });
    expect(expectProblem(waiver, 409, 'ledger_refused').reason).toBe('exceeds_fees');
    const both = {
      fees: [{ amount: '15.00', transactionId: 'T-1' }, { amount: '5.50' }],
      reason: 'goodwill',
    };
    expect((await command('waive-fee', both)).body.transaction).toMatchObject({ feeDelta: '-20.50' });
    await setLimit('fee_waiver', '0.00');
  });

  test('up to the limit of a role one acts alone, beyond it asks; which of the two stays so for a key', async () => {
    await setLimit('write_off', '50.00');
    const [small, large] = [crypto.randomUUID(), crypto.randomUUID()];
    const one = await command('write-off', { amount: '50.00', reason: 'small' }, small);
    expect(one.status).toBe(201);
    const two = await command('write-off', { amount: '50.01', reason: 'large' }, large);
    expect([two.status, two.body.status, two.headers.get('location')]).toEqual([
      ...[202, 'requested', `/api/v1/approval-requests/${two.body.id}`],
    ]);
    // The other way round now.
    await setLimit('write_off', '0.00');
    expect((await command('write-off', { amount: '50.00', reason: 'small' }, small)).body).toEqual(one.body);
    await setLimit('write_off', '100.00');
    expect((await command('write-off', { amount: '50.01', reason: 'large' }, large)).body.id).toBe(
      two.body.id,
    );
    expectProblem(
      await command('write-off', { amount: '50.02', reason: 'large' }, large),
      422,
      'idempotency_key_reused',
    );
    // Remembered for longer than keys are.
    await world.db.query('delete from operations.idempotency_keys where key = $1', [large]);
    expect((await command('write-off', { amount: '50.01', reason: 'large' }, large)).body.id).toBe(
      two.body.id,
    );
    await setLimit('write_off', '0.00');
    expect(await owed()).toBe('450.00');
    const token = await world.newKey(['ledger:write-off']);
    expectProblem(
      await command('write-off', { amount: '1.00', reason: 'x' }, undefined, token),
      403,
      'person_required',
    );
  });

  test('an amount in parts is not below the limit, neither one after another nor at once', async () => {
    await setLimit('write_off', '50.00');
    const part = (amount: string, key?: string) => command('write-off', { amount, reason: 'in parts' }, key);
    // The same intent again, as after a crash, counts once.
    const key = crypto.randomUUID();
    const twice = await Promise.all([part('30.00', key), part('30.00', key)]);
    expect(twice.map(({ status }) => status)).toEqual([201, 201]);
    expect((await part('20.01')).status).toBe(202);
    const some = await Promise.all(Array.from({ length: 8 }, () => part('5.00')));
    expect(some.filter(({ status }) => status === 201)).toHaveLength(4);
    expect(some.filter(({ status }) => status === 202)).toHaveLength(4);
    await world.db.query(`update approvals.done_alone set done_at = done_at - interval '1 day'`);
    expect((await part('50.00')).status).toBe(201);
    await setLimit('write_off', '0.00');
  });

  test('writing off all that is owed is exactly that, also when sent again', async () => {
    await setLimit('write_off', '500.00');
    const key = crypto.randomUUID();
    const first = await command('write-off', { reason: 'gone away' }, key);
    expect(first.body.transaction).toMatchObject({ type: 'write_off', totalDelta: '-500.00' });
    expect((await command('write-off', { reason: 'gone away' }, key)).body).toEqual(first.body);
    const nothing = await command('write-off', { reason: 'again' });
    expect(expectProblem(nothing, 409, 'ledger_refused').reason).toBe('nothing_owed');
    await setLimit('write_off', '0.00');
  });

  test('an approval goes to the ledger in the same transaction, and is executed once and as it was asked for', async () => {
    const { id } = await requested({ reason: 'gone away' });
    expect(await outbox('requests')).toEqual([]);
    const approved = await decide(id, 'approve', { comment: 'seen the file' });
    expect(approved.body).toMatchObject({
      status: 'approved',
      decidedBy: `user:${checker.username}`,
      amount: '500.00',
    });
    const [message] = await outbox('requests');
    expect(message).toMatchObject({ topic: 'ledger.requests', event_id: id });
    const payload = message?.payload as string;
    expect(JSON.parse(payload)).toEqual({
      ...{
        requestId: id,
        kind: 'write_off',
        accountId: loan,
        amount: '500.00',
        currency: 'EUR',
        reason: 'gone away',
      },
      ...{ maker: `user:${maker.username}`, checker: `user:${checker.username}` },
    });
    const outcomes = await Promise.all([execute(payload), execute(payload)]);
    expect([...outcomes, await execute(payload)].map(({ outcome }) => outcome)).toEqual([
      'executed',
      'executed',
      'executed',
    ]);
    expect(await owed()).toBe('0.00');
    const posted = await read(
      world.edge,
      `/api/v1/ledger/accounts/${loan}/transactions?type=write_off`,
      maker.accessToken,
    );
    expect(posted.body.data).toMatchObject([{ totalDelta: '-500.00', createdBy: `user:${maker.username}` }]);
    const { body } = await read(world.edge, `/api/v1/approval-requests/${id}`, maker.accessToken);
    expect(body).toMatchObject({ status: 'executed', transactionId: expect.any(String), present: null });
    const told = (await outbox('log')).map(({ payload }) => JSON.parse(payload));
    expect(told.map((one) => one.event_type)).toEqual([
      ...['writeoff.requested.v1', 'writeoff.approved.v1', 'approval.executed.v1'],
    ]);
    expect(told[0]).toMatchObject({
      request_id: id,
      account_id: loan,
      amount: 500,
      requested_by: `user:${maker.username}`,
    });
    const entries = (await entriesOf(world.db, 'approval_request.')).filter(
      (entry) => entry.subject_id === id,
    );
    expect(entries.map(({ actor, action }) => [actor, action])).toEqual([
      [`user:${maker.username}`, 'approval_request.created'],
      [`user:${checker.username}`, 'approval_request.changed'],
      [expect.stringMatching(/^service:/), 'approval_request.changed'],
    ]);
  });

  test('what the ledger refuses when it comes to it is told in the request', async () => {
    const { id } = await requested({ fees: [{ amount: '40.00' }], reason: 'goodwill' }, 'waive-fee');
    await decide(id, 'approve');
    await command('repayment', { amount: '30.00' });
    expect((await execute((await outbox('requests'))[0]?.payload as string)).outcome).toBe('failed');
    const { body } = await read(world.edge, `/api/v1/approval-requests/${id}`, checker.accessToken);
    expect(body).toMatchObject({ status: 'failed', failure: { code: 'exceeds_fees' }, transactionId: null });
  });

  test('whoever asked does not decide, which the database refuses as well; nor does a key', async () => {
    const { id } = await requested();
    for (const what of ['approve', 'reject'])
      expectProblem(await decide(id, what, { comment: 'mine' }, maker), 403, 'own_request');
    const itself = world.db.query(`select approvals.decide($1, 'approved', $2, null, null)`, [
      id,
      `user:${maker.username}`,
    ]);
    await expect(itself).rejects.toThrow('23514');
    const program = world.db.query(`select approvals.decide($1, 'approved', 'key:abc', null, null)`, [id]);
    await expect(program).rejects.toThrow('23514');
    const token = await world.newKey(['requests:decide', 'requests:read', 'ledger:write-off']);
    for (const what of ['approve', 'reject', 'cancel'])
      expectProblem(await decide(id, what, { comment: 'x' }, token), 403, 'person_required');
    const { 'ledger:write-off': _, ...less } = ledgerPermissions;
    const without = await world.newPersonWith(less);
    expectProblem(await decide(id, 'approve', {}, without), 403, 'beyond_own_rights');
    expectProblem(await decide(id, 'cancel', {}, checker), 403, 'not_own_request');
    expect((await outbox('requests')).length).toBe(0);
  });

  test('of all who decide at the same time one does', async () => {
    const race = async (...deciders: Array<(id: string) => Promise<Answer>>) => {
      const { id } = await requested();
      const answers = await Promise.all(deciders.map((decider) => decider(id)));
      const lost = answers.filter(({ status }) => status !== 200);
      expect(lost).toHaveLength(deciders.length - 1);
      for (const answer of lost) expectProblem(answer, 409, 'already_decided');
      const { body } = await read(world.edge, `/api/v1/approval-requests/${id}`, maker.accessToken);
      const approved = (await outbox('requests')).filter((one) => one.event_id === id);
      expect(approved).toHaveLength(body.status === 'approved' ? 1 : 0);
    };
    for (let n = 0; n < 5; n++) {
      await race(
        (id) => decide(id, 'approve', {}, checker),
        (id) => decide(id, 'approve', {}, other),
        (id) => decide(id, 'reject', { comment: 'no' }, other),
        (id) => decide(id, 'cancel', {}, maker),
      );
    }
  });

  test('whoever decided may send it again', async () => {
    const { id } = await requested();
    for (const _ of [1, 2]) expect((await decide(id, 'approve')).body.status).toBe('approved');
    expectProblem(await decide(id, 'reject', { comment: 'no' }), 409, 'already_decided');
    expect((await outbox('requests')).length).toBe(1);
    const { id: second } = await requested();
    for (const _ of [1, 2]) expect((await decide(second, 'cancel', {}, maker)).body.status).toBe('cancelled');
  });

  test('when the loan has changed meanwhile it says so, and is approved by whoever has seen it', async () => {
    const { id, facts } = await requested();
    await command('repayment', { amount: '60.00' });
    const { body } = await read(world.edge, `/api/v1/approval-requests/${id}`, checker.accessToken);
    expect(body).toMatchObject({
      changed: true,
      facts,
      present: { version: expect.any(String), totalOutstanding: '440.00' },
    });
    for (const loanVersion of [undefined, facts.version]) {
      const refused = expectProblem(await decide(id, 'approve', { loanVersion }), 409, 'loan_changed');
      expect(refused.present).toEqual(body.present);
    }
    Object.assign(world.ledger, { mood: 'away', sparesReads: false });
    expectProblem(
      await decide(id, 'approve', { loanVersion: body.present.version }),
      503,
      'ledger_unavailable',
    );
    const blind = await read(world.edge, `/api/v1/approval-requests/${id}`, checker.accessToken);
    expect(blind.body).toMatchObject({ status: 'requested', present: null, changed: null });
    world.ledger.mood = 'well';
    expect((await decide(id, 'approve', { loanVersion: body.present.version })).body.decidedFacts).toEqual(
      body.present,
    );
  });

  test('a request that nobody decided in time has ended', async () => {
    const { id } = await requested();
    await world.db.query('alter table approvals.requests disable trigger keep_what_was_asked');
    await world.db.query(
      `update approvals.requests set expires_at = now() - interval '1 second' where id = $1`,
      [id],
    );
    await world.db.query('alter table approvals.requests enable trigger keep_what_was_asked');
    const { body } = await read(world.edge, `/api/v1/approval-requests/${id}`, checker.accessToken);
    expect(body.status).toBe('expired');
    expect(expectProblem(await decide(id, 'approve'), 409, 'already_decided').decision).toBe('expired');
    const told = (await outbox('log')).map(({ payload }) => JSON.parse(payload));
    expect(told.at(-1)).toMatchObject({
      event_type: 'writeoff.cancelled.v1',
      cancelled_by: 'service:approvals',
    });
    expect(await outbox('requests')).toEqual([]);
    await expect(
      world.db.query(`update approvals.requests set amount = 1 where id = $1`, [id]),
    ).rejects.toThrow('23514');
  });

  test('limits are set by who may, not for a role of theirs, and audited', async () => {
    const admin = await world.newPerson(['admin']);
    const path = (role: string) => `/api/v1/approval-limits/${role}/fee_waiver/EUR`;
    expect((await call('PUT', path('agent'), admin, { amount: '20' })).body).toEqual({
      ...{ role: 'agent', kind: 'fee_waiver', currency: 'EUR', amount: '20.00' },
    });
    expectProblem(await call('PUT', path('admin'), admin, { amount: '20' }), 403, 'own_rights');
    expectProblem(await call('PUT', path('agent'), admin, { amount: '20.001' }), 422, 'invalid_request');
    const agent = await world.newPerson(['agent']);
    const waiver = (amount: string) =>
      command('waive-fee', { fees: [{ amount }], reason: 'goodwill' }, undefined, agent);
    expect((await waiver('20.00')).status).toBe(201);
    expect((await waiver('20.01')).status).toBe(202);
    expect((await call('DELETE', path('agent'), admin)).status).toBe(204);
    expect((await waiver('0.01')).status).toBe(202);
    const [entry] = await entriesOf(world.db, 'approval_limit.created', 1);
    expect(entry).toMatchObject({ actor: `user:${admin.username}`, subject_id: 'agent' });
  });

  test('the paths of the servicing app do the same in its shapes', async () => {
    const path = (what: string) => `/api/ledger/${what}`;
    const repaid = await call(
      'POST',
      path('repayment'),
      maker,
      { loanAccountId: loan, amount: 60.5 },
      'app-1',
    );
    expect(repaid.body).toMatchObject({
      success: true,
      allocatedToFees: 40,
      transaction: { type: 'REPAYMENT' },
    });
    expect(repaid.text).toContain('"totalDelta":-60.50');
    const fee = { loanAccountId: loan, feeType: 'late_fee', feeAmount: '15.00', daysPastDue: 7 };
    expect((await call('POST', path('apply-fee'), maker, fee, 'app-2')).body.success).toBe(true);
    const balance = await read(world.edge, path(`balance?loanAccountId=${loan}`), maker.accessToken);
    expect(balance.body).toMatchObject({ success: true, totalOutstanding: 454.5 });
    const missing = await call('POST', path('repayment'), maker, { loanAccountId: loan, amount: '1.00' });
    expect(expectProblem(missing, 400, 'idempotency_key_required')).toMatchObject({
      success: false,
      error: expect.any(String),
    });
    world.ledger.sparesReads = false;
    world.ledger.mood = 'away';
    const away = await read(world.edge, path(`transactions?loanAccountId=${loan}`), maker.accessToken);
    expect(expectProblem(away, 503, 'ledger_unavailable').success).toBe(false);
    expect((await read(world.edge, path('balance'))).body).toMatchObject({
      success: false,
      code: 'unauthenticated',
    });
  });

  test('transactions are told as they are committed, from where a client left, and not to whose session has ended', async () => {
    const first = await command('repayment', { amount: '1.00' });
    const watcher = await world.newPersonWith({ 'ledger:read': 'all' });
    const listen = async (headers: Record<string, string>) => {
      const response = await fetch(
        `${world.edge.urls.api}/api/v1/ledger/accounts/${loan}/stream?seconds=20`,
        {
          headers: { authorization: `Bearer ${watcher.accessToken}`, ...headers },
          signal: AbortSignal.timeout(15_000),
        },
      );
      expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
      const reader = (response.body as ReadableStream<Uint8Array>)
        .pipeThrough(new TextDecoderStream())
        .getReader();
      let text = '';
      return async (until: string) => {
        while (!text.includes(until)) {
          const { value, done } = await reader.read();
          if (done) throw new Error(`it ended with ${text}`);
          text += value;
        }
        return text;
      };
    };
    const second = await command('repayment', { amount: '2.00' });
    const listening = await listen({ 'last-event-id': first.body.transactionId });
    const told = await listening(second.body.transactionId);
    expect(told).toContain('"totalDelta":"-2.00"');
    expect(told).not.toContain(`id: ${first.body.transactionId}`);
    const third = await command('repayment', { amount: '3.00' });
    await listening(`id: ${third.body.transactionId}`);
    await world.db.query('update staff.sessions set ended_at = now() where user_id = $1', [watcher.id]);
    await listening('event: end');
  });
});
