// Runs one statement, or a batch in one transaction, on a connection that is the caller's alone, and gives the
// connection back only when the next caller cannot notice. Statements are prepared once per connection, named by a
// hash of their text; one whose plan the schema has outrun is run again unprepared. A caller who leaves cancels.

import { hash } from 'node:crypto';
import pg from 'pg';
import { type Call, Refusal } from './door.ts';
import { cancel } from './postgres-pools.ts';

export interface Statement {
  text: string;
  values: unknown[];
}

/** Postgres keeps what is prepared until the connection ends, so a connection with more is replaced. */
const preparedPerConnection = 256;
const longestPrepared = 32_768;
const namesOf = new WeakMap<pg.PoolClient, Set<string>>();

/** Releases the connection in any case. Throws Postgres' first error, and then a batch has done nothing. */
export async function execute(
  call: Call,
  client: pg.PoolClient,
  statements: Statement[],
  begin: string | undefined,
): Promise<pg.QueryArrayResult[]> {
  let reusable = !statements.some(changesSession);
  call.onAbandoned = () => cancel(client);
  try {
    if (call.abandoned) throw new Refusal(499, 'the caller has left');
    return await run(client, statements, begin, nameOn).catch((error: unknown) => {
      if (!isStalePlan(error)) throw error;
      reusable = false;
      return run(client, statements, begin, () => undefined);
    });
  } catch (error) {
    reusable &&= isHarmless(error);
    throw error;
  } finally {
    call.onAbandoned = undefined;
    const isFull = (namesOf.get(client)?.size ?? 0) > preparedPerConnection;
    client.release(
      !reusable || isFull || call.abandoned !== undefined || client.getTransactionStatus() !== 'I',
    );
  }
}

/**
 * A batch goes out whole before its first answer comes back: after an error Postgres refuses the rest, and the commit
 * rolls back. A begin that fails would let the rest run one by one; it can only fail where nothing can be written
 * (a standby, a lost connection).
 */
async function run(
  client: pg.PoolClient,
  statements: Statement[],
  begin: string | undefined,
  nameFor: (client: pg.PoolClient, text: string) => string | undefined,
): Promise<pg.QueryArrayResult[]> {
  const send = ({ text, values }: Statement): Promise<pg.QueryArrayResult> =>
    client.query({ name: nameFor(client, text), text, values, rowMode: 'array' });
  if (begin === undefined) return [await send(statements[0]!)];

  const [begun, ...outcomes] = await Promise.allSettled([
    client.query(begin),
    ...statements.map(send),
    client.query('commit'),
  ]);
  const failed = [begun, ...outcomes].find((outcome) => outcome.status === 'rejected');
  if (failed) throw failed.reason;
  return outcomes
    .slice(0, -1)
    .map((outcome) => (outcome as PromiseFulfilledResult<pg.QueryArrayResult>).value);
}

function nameOn(client: pg.PoolClient, text: string): string | undefined {
  if (text.length > longestPrepared) return undefined;
  const name = hash('sha1', text);
  const names = namesOf.get(client);
  if (names) names.add(name);
  else namesOf.set(client, new Set([name]));
  return name;
}

/** "cached plan must not change result type", or somebody deallocated what was prepared. */
const isStalePlan = (error: unknown) =>
  error instanceof pg.DatabaseError &&
  (error.code === '26000' || (error.code === '0A000' && error.routine === 'RevalidateCachedQuery'));

const changesSession = ({ text }: Statement) =>
  /^\s*(set(?!\s+(local|constraints|transaction)\b)|reset|listen|unlisten|prepare|deallocate|discard)\b/i.test(
    text,
  );

/** After FATAL the connection is gone; after a cancelled statement more may be on its way. */
const isHarmless = (error: unknown) =>
  error instanceof pg.DatabaseError && error.severity === 'ERROR' && error.code !== '57014';
