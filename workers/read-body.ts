// Reads a request's body once, as bytes, within a size and a time. What is too large or too slow is given up early.

import { ok, type Result, refused } from '../shared/result.ts';

export type BodyFault = 'body_too_large' | 'request_timeout';

export async function readBody(
  request: Request,
  limitBytes: number,
  timeoutMs: number,
): Promise<Result<Uint8Array<ArrayBuffer>, BodyFault>> {
  const announced = request.headers.get('content-length');
  if (Number(announced ?? 0) > limitBytes) return refused('body_too_large');
  if (!request.body) return ok(new Uint8Array());
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<'request_timeout'>((resolve) => {
    timer = setTimeout(() => resolve('request_timeout'), timeoutMs);
  });
  // A body whose length is announced is bounded by the runtime and read at once; another is counted as it comes.
  const reader = /^\d+$/.test(announced ?? '') ? undefined : request.body.getReader();
  const reading = reader ? readChunks(reader, limitBytes) : readWhole(request, limitBytes);
  // Reading fails when the sender hangs up: nobody is left to tell, and it is no fault of ours.
  const read = await Promise.race([reading.catch(() => 'request_timeout' as const), timeout]);
  clearTimeout(timer);
  if (typeof read !== 'string') return ok(read);
  reader?.cancel().catch(() => {});
  return refused(read);
}

async function readWhole(request: Request, limitBytes: number) {
  const body = new Uint8Array(await request.arrayBuffer());
  return body.length > limitBytes ? 'body_too_large' : body;
}

/** The reader's to give up when it is too large. */
export async function readChunks(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  limitBytes: number,
): Promise<Uint8Array<ArrayBuffer> | 'body_too_large'> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return concatenate(chunks, size);
    size += value.length;
    if (size > limitBytes) return 'body_too_large';
    chunks.push(value);
  }
}

function concatenate(chunks: Uint8Array[], size: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.length;
  }
  return whole;
}
