// The contract is clean, its types are up to date, and nobody who has the released one is broken by it.

import { execFile } from 'node:child_process';
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { files, read, root } from './repository.ts';

/** What it says goes to standard output, and it exits with a number other than 0. */
const buf = async (...args: string[]): Promise<string> => {
  const run = promisify(execFile)(join(root, 'node_modules/.bin/buf'), args, { cwd: root });
  return run.then(
    () => '',
    (error) => `${error.stdout}${error.stderr}` || String(error),
  );
};
const folder = () => {
  const made = mkdtempSync(join(tmpdir(), 'recoup-proto-'));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
};

test('the contract keeps the rules of buf.yaml', async () => {
  expect(await buf('lint')).toBe('');
});

test('the generated types are those of the contract; npm run proto makes them', async () => {
  const made = folder();
  expect(await buf('generate', '--output', made)).toBe('');
  const generated = files('proto/generated/**/*.ts');
  expect(generated.length).toBeGreaterThan(2);
  const anew = globSync('proto/generated/**/*.ts', { cwd: made });
  expect(anew.toSorted()).toEqual(generated);
  for (const path of generated)
    expect(read(path) === readFileSync(join(made, path), 'utf8'), path).toBe(true);
});

test('who has the released contract understands this one', async () => {
  expect(await buf('breaking', '--against', 'proto/released.binpb')).toBe('');
});

test.each([
  ['a number that changes', 'string loan_account_id = 1;', 'string loan_account_id = 99;'],
  ['a type that changes', 'optional int32 limit = 2;', 'optional int64 limit = 2;'],
  ['a method that goes', 'rpc GetBalance(GetBalanceRequest) returns (GetBalanceResponse);', ''],
])('%s is caught', async (_, before, after) => {
  const made = folder();
  cpSync(join(root, 'proto'), join(made, 'proto'), { recursive: true });
  cpSync(join(root, 'buf.yaml'), join(made, 'buf.yaml'));
  const contract = read('proto/accounting_ledger.proto');
  expect(contract).toContain(before);
  writeFileSync(join(made, 'proto/accounting_ledger.proto'), contract.replace(before, after));
  expect(await buf('breaking', made, '--against', 'proto/released.binpb')).toMatch(
    /accounting_ledger\.proto:/,
  );
});
