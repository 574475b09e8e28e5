// The Workers as Cloudflare would get them: every configuration and environment passes a dry run, and the webhooks
// bundle stays small.

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const configurations = ['wrangler.toml', 'workers/webhooks/wrangler.toml', 'workers/auth/wrangler.toml'];
const environments = ['', 'staging', 'production'];
const webhooksLimitBytes = 113 * 1024;

async function dryRun(configuration: string, environment: string, outdir: string): Promise<void> {
  const args = ['deploy', '--dry-run', '--config', configuration, '--env', environment, '--outdir', outdir];
  await promisify(execFile)(
    process.execPath,
    [join(root, 'node_modules/wrangler/bin/wrangler.js'), ...args],
    {
      cwd: root,
      env: { ...process.env, WRANGLER_SEND_METRICS: 'false' },
      timeout: 60_000,
    },
  );
}

it.for(configurations.flatMap((file) => environments.map((environment) => [file, environment] as const)))(
  '%s passes a dry run for the environment "%s"',
  { timeout: 60_000 },
  async ([file, environment]) => {
    const outdir = mkdtempSync(join(tmpdir(), 'recoup-dry-run-'));
    try {
      await dryRun(file, environment, outdir);
      const { length } = gzipSync(
        readFileSync(join(outdir, file === 'wrangler.toml' ? 'main.js' : 'main.js')),
      );
      if (file.includes('webhooks')) expect(length).toBeLessThanOrEqual(webhooksLimitBytes);
    } finally {
      rmSync(outdir, { recursive: true, force: true });
    }
  },
);
