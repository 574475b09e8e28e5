// Neon's HTTP door in front of a real Postgres: POST /sql as @neondatabase/serverless sends it, one statement or one
// atomic batch a call, as the user of the connection string. An SQL error is 400 with Postgres' fields, an unreachable
// server 503. Session state (SET, PREPARE, LISTEN) does not outlive its call. Refuses COPY, tokens and parsed values.

import type { IncomingHttpHeaders } from 'node:http';
import pg from 'pg';
import { type Answer, type Call, type Door, type DoorOptions, openDoor, Refusal, reasonOf } from './door.ts';
import { readNeonDoorSettings } from './env.ts';
import { execute, type Statement } from './execute.ts';
import { PostgresPools } from './postgres-pools.ts';
import { runDoor } from './run-door.ts';

export interface NeonDoorOptions extends DoorOptions {
  /** Per connection string. */
  maxConnections?: number | undefined;
}

/** The driver's `neonConfig.fetchEndpoint` is the door's url followed by `/sql`. */
export function openNeonDoor(options: NeonDoorOptions): Promise<Door> {
  const pools = new PostgresPools(options.maxConnections ?? 20);
  return openDoor(options, {
    defaultCallMs: 60_000,
    answer: (call) => answer(call, pools),
    refuse,
    close: () => pools.close(),
  });
}

async function answer(call: Call, pools: PostgresPools): Promise<Answer> {
  const { method, url, headers } = call.request;
  if (method !== 'POST' || url !== '/sql') throw new Refusal(404, 'this door answers POST /sql');
  const connectionString = connectionStringOf(headers);
  const { statements, begin } = readBody(call.body, headers);
  const shape = headers['neon-array-mode'] === 'true' ? asArrays : asObjects;
  try {
    const results = await execute(call, await pools.connect(connectionString), statements, begin);
    return json(200, begin === undefined ? shape(results[0]!) : { results: results.map(shape) });
  } catch (error) {
    if (error instanceof Refusal) throw error;
    if (error instanceof pg.DatabaseError) return json(400, fieldsOf(error));
    throw new Refusal(503, `Postgres is unreachable: ${reasonOf(error)}`);
  }
}

function connectionStringOf(headers: IncomingHttpHeaders): string {
  if (headers.authorization !== undefined) throw new Refusal(400, 'this door knows passwords, not tokens');
  if (headers['neon-raw-text-output'] !== 'true') {
    throw new Refusal(400, 'this door answers text only: send Neon-Raw-Text-Output: true');
  }
  const given = headers['neon-connection-string'];
  const url = typeof given === 'string' ? URL.parse(given) : null;
  if (!url || !/^postgres(ql)?:$/.test(url.protocol) || !url.hostname || !url.username) {
    throw new Refusal(400, 'Neon-Connection-String must be like postgresql://user:password@host/database');
  }
  return given as string;
}

/** `begin` is there for a batch, however many statements it has. */
function readBody(body: Buffer, headers: IncomingHttpHeaders): { statements: Statement[]; begin?: string } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString());
  } catch {
    throw new Refusal(400, 'the body is not JSON');
  }
  const { queries } = Object(parsed) as { queries?: unknown };
  if (queries === undefined) return { statements: [readStatement(parsed)] };
  if (!Array.isArray(queries)) throw new Refusal(400, 'queries must be an array');
  return { statements: queries.map(readStatement), begin: beginOf(headers) };
}

function readStatement(value: unknown): Statement {
  const { query, params = [] } = Object(value) as { query?: unknown; params?: unknown };
  if (typeof query !== 'string' || !Array.isArray(params)) {
    throw new Refusal(400, 'a statement must be {"query": text, "params": array}');
  }
  if (params.length > maxParams) throw new Refusal(400, `a statement takes ${maxParams} parameters at most`);
  if (/^\s*copy\b/i.test(query)) throw new Refusal(400, 'COPY does not pass through this door');
  return { text: query, values: params };
}

/** The wire protocol counts parameters in 16 bits. */
const maxParams = 65_535;

function beginOf(headers: IncomingHttpHeaders): string {
  const level = headers['neon-batch-isolation-level'];
  const isolation = level === undefined ? '' : isolationLevels.get(String(level));
  if (isolation === undefined) throw new Refusal(400, 'invalid isolation level');
  const readOnly = headers['neon-batch-read-only'] === 'true' ? ' read only' : '';
  const deferrable = headers['neon-batch-deferrable'] === 'true' ? ' deferrable' : '';
  return `begin${isolation}${readOnly}${deferrable}`;
}

const isolationLevels = new Map([
  ['ReadUncommitted', ' isolation level read uncommitted'],
  ['ReadCommitted', ' isolation level read committed'],
  ['RepeatableRead', ' isolation level repeatable read'],
  ['Serializable', ' isolation level serializable'],
]);

const asArrays = ({ command, rowCount, fields, rows }: pg.QueryArrayResult) => {
  return { command, rowCount, rowAsArray: true, fields, rows };
};

const asObjects = ({ command, rowCount, fields, rows }: pg.QueryArrayResult) => {
  const named = rows.map((row) => Object.fromEntries(fields.map((field, i) => [field.name, row[i]])));
  return { command, rowCount, rowAsArray: false, fields, rows: named };
};

/** What the driver's NeonDbError carries; JSON leaves out what Postgres did not say. */
const fieldsOf = (error: pg.DatabaseError) => ({
  message: error.message,
  severity: error.severity,
  code: error.code,
  detail: error.detail,
  hint: error.hint,
  position: error.position,
  internalPosition: error.internalPosition,
  internalQuery: error.internalQuery,
  where: error.where,
  schema: error.schema,
  table: error.table,
  column: error.column,
  dataType: error.dataType,
  constraint: error.constraint,
  file: error.file,
  line: error.line,
  routine: error.routine,
});

/** The driver reads 400 as JSON and any other status as text. */
const refuse = (status: number, message: string): Answer =>
  status === 400
    ? json(400, { message })
    : { status, contentType: 'text/plain; charset=utf-8', body: message };

const json = (status: number, body: unknown): Answer => ({
  status,
  contentType: 'application/json',
  body: JSON.stringify(body),
});

if (import.meta.main) await runDoor('neon door', () => openNeonDoor(readNeonDoorSettings(process.env)));
