// Answers that go on and on (server-sent events) end when the process is told to stop; whoever reads them comes back to
// another one, where they go on. Everything else is answered to its end.

/** The same answer, ended with the signal where it is a stream of events. */
export function untilStopped(response: Response, signal: AbortSignal): Response {
  if (response.headers.get('content-type') !== 'text/event-stream' || !response.body) return response;
  const reader = response.body.getReader();
  const stopped = new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const read = await Promise.race([reader.read(), stopped]);
        if (read && !read.done) return controller.enqueue(read.value);
        controller.close();
        await reader.cancel();
      },
      cancel: () => reader.cancel(),
    },
    { highWaterMark: 0 },
  );
  return new Response(body, response);
}
