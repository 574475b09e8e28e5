// A Worker as one ES module, minified, as wrangler would upload it.

import { join } from 'node:path';
import { build, stop } from 'esbuild';

const root = join(import.meta.dirname, '../..');

/** The bundler is a process that would stay; the next bundle starts it again. */
export const stopBundler = (): Promise<void> => stop();

export async function bundle(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    minify: true,
    format: 'esm',
    target: 'es2022',
    conditions: ['workerd', 'worker', 'browser'],
    mainFields: ['module', 'main'],
    // The package's own ES module build, as in the Worker's wrangler.toml.
    alias: { '@upstash/ratelimit': join(root, 'node_modules/@upstash/ratelimit/dist/index.mjs') },
    external: ['node:*', 'cloudflare:*'],
    logLevel: 'silent',
  });
  return outputFiles[0]!.text;
}
