// Exports on disk: a folder per export with one compressed file of lines and manifest.json. A folder has its name only
// once it is whole, synced and read back; what is not whole has a name that begins with a dot. Files are for their
// owner's eyes: they hold personal data.

import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { type ExportedRow, type Manifest, manifestSchema, tally } from '../../shared/partitions/export.ts';
import { ok, type Result, refused } from '../../shared/result.ts';

const manifestFile = 'manifest.json';

export const isExportName = (name: string): boolean => /^payments_\d{4}_\d{2}(_\d+)?$/.test(name);

/** Passes bytes on and keeps their SHA-256 and number. */
function measuring() {
  const hash = createHash('sha256');
  let bytes = 0;
  const stream = new Transform({
    transform(chunk: Buffer, _, done) {
      hash.update(chunk);
      bytes += chunk.length;
      done(null, chunk);
    },
  });
  return { stream, end: () => ({ bytes, sha256: hash.digest('hex') }) };
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  await handle.sync().finally(() => handle.close());
}

export type ExportPlan = Pick<Manifest, 'name' | 'month' | 'exportedAt' | 'schemaVersion' | 'columns'>;

/**
 * Writes an export and gives it its name. Throws when what was read back is not what was written, and when the name is
 * taken. Of an earlier attempt under this name everything unfinished is removed.
 */
export async function writeExport(
  folder: string,
  plan: ExportPlan,
  batches: AsyncIterable<ExportedRow[]>,
): Promise<Manifest> {
  for (const left of await readdir(folder)) {
    if (left.startsWith(`.${plan.name}.`) && left.endsWith('.partial')) {
      await rm(join(folder, left), { recursive: true, force: true });
    }
  }
  // Nobody else's: another process that has lost the job's lock and does not know it yet may still be writing.
  const partial = join(folder, `.${plan.name}.${randomUUID()}.partial`);
  await mkdir(partial, { mode: 0o700 });
  const file = `${plan.name}.ndjson.gz`;
  const totals = tally();
  const written = measuring();
  await pipeline(
    async function* () {
      for await (const batch of batches) {
        for (const { amount, currency, hash } of batch) totals.add(amount, currency, hash);
        yield batch.map(({ line }) => `${line}\n`).join('');
      }
    },
    createGzip(),
    written.stream,
    createWriteStream(join(partial, file), { flags: 'wx', mode: 0o600, flush: true }),
  );
  const { rows, sums, digest } = totals;
  const manifest: Manifest = {
    formatVersion: 1,
    ...plan,
    rows,
    sums,
    digest,
    files: [{ name: file, rows, ...written.end() }],
  };
  const text = `${JSON.stringify(manifest, null, 2)}\n`;
  await writeFile(join(partial, manifestFile), text, { flag: 'wx', mode: 0o600, flush: true });
  await syncFolder(partial);
  const readBack = await verifyExport(partial);
  if (!readBack.ok) throw new Error(`what was exported cannot be read back: ${readBack.refusal.join('; ')}`);
  await rename(partial, join(folder, plan.name));
  await syncFolder(folder);
  return manifest;
}

/** Sets an export aside that is of no use but may not be deleted. */
export async function setAside(folder: string, name: string, now: Date): Promise<void> {
  const stamp = now.toISOString().replace(/[-:.]/g, '');
  await rename(join(folder, name), join(folder, `${name}.superseded-${stamp}-${randomUUID().slice(0, 8)}`));
  await syncFolder(folder);
}

export const exportExists = (folder: string, name: string): Promise<boolean> =>
  stat(join(folder, name)).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );

/** The manifest, or what is wrong with it. */
async function readManifest(folder: string): Promise<Result<Manifest, string[]>> {
  let text: string;
  try {
    text = await readFile(join(folder, manifestFile), 'utf8');
  } catch (error) {
    return refused([`${manifestFile} cannot be read: ${(error as NodeJS.ErrnoException).code}`]);
  }
  try {
    return ok(manifestSchema.parse(JSON.parse(text)));
  } catch {
    return refused([`${manifestFile} is not a manifest of this format`]);
  }
}

/**
 * Reads an export whole, in bounded memory: checksums, lines, columns, rows and sums against the manifest. `onLines`
 * gets the lines in batches as they are read, before all is known to be well.
 */
export async function verifyExport(folder: string): Promise<Result<Manifest, string[]>> {
  const read = await readManifest(folder);
  if (!read.ok) return read;
  const manifest = read.value;
  const columns = manifest.columns.map(({ name }) => name).join();
  const faults: string[] = [];
  const totals = tally();
  for (const { name, rows, bytes, sha256 } of manifest.files) {
    const before = totals.rows;
    const measured = measuring();
    try {
      await pipeline(createReadStream(join(folder, name)), measured.stream, createGunzip(), async (text) => {
        for await (const lines of lineBatches(text)) {
          for (const line of lines) {
            const row = JSON.parse(line);
            if (Object.keys(row).join() !== columns) throw new Error('a line has other columns');
            totals.add(row.amount, row.currency);
          }
        }
      });
    } catch (error) {
      faults.push(`${name} cannot be read: ${reason(error)}`);
      continue;
    }
    const found = measured.end();
    if (found.bytes !== bytes) faults.push(`${name} has ${found.bytes} bytes, the manifest says ${bytes}`);
    if (found.sha256 !== sha256) faults.push(`${name} has another checksum than the manifest`);
    if (totals.rows - before !== rows) {
      faults.push(`${name} has ${totals.rows - before} rows, the manifest says ${rows}`);
    }
  }
  if (faults.length === 0) {
    if (totals.rows !== manifest.rows)
      faults.push(`there are ${totals.rows} rows, the manifest says ${manifest.rows}`);
    if (JSON.stringify(totals.sums) !== JSON.stringify(manifest.sums))
      faults.push('the amounts add up to other sums than the manifest');
  }
  return faults.length > 0 ? refused(faults) : ok(manifest);
}

/** The error's code or kind: its message may quote a line. */
function reason(error: unknown): string {
  const { code, message, name } = error as NodeJS.ErrnoException;
  if (code) return code;
  return name === 'SyntaxError' ? 'a line is not JSON' : message;
}

/** The lines of an export, in batches, once it is known to be well. */
export async function* readExport(folder: string, manifest: Manifest): AsyncGenerator<string[]> {
  for (const { name } of manifest.files) {
    const lines = new PassThrough();
    const reading = pipeline(createReadStream(join(folder, name)), createGunzip(), lines);
    // Told by the iteration, which the error ends.
    reading.catch(() => {});
    yield* lineBatches(lines);
    await reading;
  }
}

async function* lineBatches(text: Readable | AsyncIterable<Buffer>): AsyncGenerator<string[]> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let rest = '';
  for await (const chunk of text) {
    const lines = (rest + decoder.decode(chunk as Buffer, { stream: true })).split('\n');
    rest = lines.pop() as string;
    if (lines.length > 0) yield lines;
  }
  if (rest + decoder.decode() !== '') throw new Error('the last line has no end');
}
