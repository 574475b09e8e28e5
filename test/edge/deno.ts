// The three Workers in Deno, as a process of its own: `deno run -A --node-modules-dir=manual test/edge/deno.ts` with
// ports and settings in EDGE. It plays Cloudflare's edge: cf-connecting-ip is who really calls.

import { createApps, type WorkerName, type WorkerSettings } from './apps.ts';

declare const Deno: {
  env: { get(name: string): string | undefined };
  serve(
    options: { port: number; hostname: string; onListen(): void },
    answer: (request: Request, info: { remoteAddr: { hostname: string } }) => Promise<Response>,
  ): unknown;
};

const { ports, settings } = JSON.parse(Deno.env.get('EDGE') ?? '') as {
  ports: Record<WorkerName, number>;
  settings: WorkerSettings;
};
for (const [name, answer] of Object.entries(createApps(settings))) {
  const options = { port: ports[name as WorkerName], hostname: '127.0.0.1', onListen() {} };
  Deno.serve(options, (request, { remoteAddr }) => {
    const headers = new Headers(request.headers);
    headers.set('cf-connecting-ip', remoteAddr.hostname);
    return answer(new Request(request, { headers }));
  });
}
