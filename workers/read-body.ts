// Reads a request's body once, as bytes, within a size and a time. What is too large or too slow is given up early.

import { ok, type Result, refused } from '../shared/result.ts';

export type BodyFault = 'body_too_large' | 'request_timeout';

export async function readBody(
  request: Request,
  limitBytes: number,
  timeoutMs: number,
): Promise<Result<Uint8Array<ArrayBuffer>, BodyFault>> {
  if (Number(request.headers.get('content-length') ?? 0) > limitBytes) return refused('body_too_large');
  if (!request.body) return ok(new Uint8Array());
  const reader = request.body.getReader();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<'timeout'>((resolve) => {
    timer = setTimeout(() => resolve('timeout'), timeoutMs);
  });
  try {
    const chunks: Uint8Array[] = [];
    let size = 0;
    for (;;) {
      // A read fails when the sender hangs up: nobody is left to tell, and it is no fault of ours.
      const read = await Promise.race([reader.read().catch(() => 'timeout' as const), timeout]);
      if (read === 'timeout') return giveUp(reader, 'request_timeout');
      if (read.done) break;
      size += read.value.length;
      if (size > limitBytes) return giveUp(reader, 'body_too_large');
      chunks.push(read.value);
    }
    return ok(concatenate(chunks, size));
  } finally {
    clearTimeout(timer);
  }
}

function giveUp(reader: ReadableStreamDefaultReader, fault: BodyFault) {
  reader.cancel().catch(() => {});
  return refused(fault);
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
