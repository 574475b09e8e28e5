// Durable Objects in workerd: payments of several isolates meet in one of them, and when it is broken the Workers do
// without it.

import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { bundle, stopBundler } from '../../dev/servers/bundle.ts';
import {
  compatibilityDate,
  startWorkers,
  type WorkerPlan,
  webhooksObjects,
} from '../../dev/servers/workerd.ts';
import { aPayment, deliver, tally } from './asking.ts';
import { transactionsOf, whileOutboxIsHeld } from './held-outbox.ts';
import { type Edge, freePorts, urlsOf } from './runtimes.ts';
import { useWorld } from './world.ts';

const timeoutMs = 3_000;
const world = useWorld('workerd');
const stops: Array<() => Promise<void>> = [];
afterAll(async () => {
  for (const stop of stops) await stop();
});

/** Two webhooks Workers, isolates of their own; the objects that both are bound to come from `objectsScript`. */
async function twoIsolates(objectsScript?: string): Promise<Edge[]> {
  const { folder, settings } = world.edgeOptions({ webhooks: { WEBHOOK_TIMEOUT_MS: String(timeoutMs) } });
  const script = await bundle('workers/webhooks/main.ts');
  await stopBundler();
  const [first, second] = [await freePorts(), await freePorts()];
  const own = { script, bindings: settings.webhooks, compatibilityDate };
  const sharing = { GROUP_COMMIT: { ...webhooksObjects.GROUP_COMMIT, of: 'objects' } };
  const at = ({ webhooks }: { webhooks: number }) => ({ host: '127.0.0.1', port: webhooks });
  const workers: WorkerPlan[] = [
    { ...own, name: 'objects', objects: webhooksObjects, ...(objectsScript && { script: objectsScript }) },
    { ...own, name: 'one', objects: sharing, listen: at(first) },
    { ...own, name: 'two', objects: sharing, listen: at(second) },
  ];
  const runFolder = mkdtempSync(join(folder, 'isolates-'));
  const workerd = await startWorkers({ folder: runFolder, logFile: join(runFolder, 'log'), workers });
  stops.push(() => workerd.stop());
  return [first, second].map((ports) => ({ urls: urlsOf(ports), log: () => '', stop: () => workerd.stop() }));
}

const some = (count: number) => Array.from({ length: count }, () => aPayment());
const toBoth = (edges: readonly Edge[], bodies: readonly object[]) =>
  bodies.map((body, i) => deliver(edges[i % edges.length] as Edge, body, { to: 'webhooks' }));

test('payments of two isolates share statements, each with an answer of its own', async () => {
  const edges = await twoIsolates();
  const bodies = some(40);
  const answers = await whileOutboxIsHeld(world, () => toBoth(edges, [...bodies, ...bodies.slice(0, 9)]));
  expect(tally(answers)).toEqual({ 201: 40, 200: 9 });
  expect(new Set(answers.map(({ body }) => body.payment_id)).size).toBe(40);
  expect(await transactionsOf(world, bodies)).toBeLessThan(10);
});

test.each([
  ['throws', `throw new Error('broken');`],
  ['answers nonsense', `return new Response('not JSON', { status: 500 });`],
  ['says nothing', `return new Promise((resolve) => setTimeout(resolve, 60_000));`],
])('an object that %s is done without: every payment is recorded, in time', async (_, body) => {
  const edges = await twoIsolates(
    `export class PaymentCommits { async fetch() { ${body} } }\nexport default { fetch: () => new Response() };`,
  );
  const bodies = some(10);
  const answers = await Promise.all(toBoth(edges, bodies));
  expect(tally(answers)).toEqual({ 201: 10 });
  for (const { ms } of answers) expect(ms).toBeLessThan(timeoutMs + 1_500);
  const next = some(4);
  const later = await Promise.all(toBoth(edges, next));
  expect(tally(later)).toEqual({ 201: 4 });
  // It is left alone for a while after that.
  for (const { ms } of later) expect(ms).toBeLessThan(timeoutMs / 2);
  expect(await transactionsOf(world, [...bodies, ...next])).toBe(14);
});
