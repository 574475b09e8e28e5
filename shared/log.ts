// One line of JSON per event on standard output. Ids, codes and durations only: never a name, an account, a
// reference, a body, a header's value or a secret. `error` fields carry the message and the cause's message.

export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];
export type LogFields = Record<string, string | number | boolean | null | undefined>;
export type Log = Record<LogLevel, (event: string, fields?: LogFields) => void>;

/** `base` is added to every line: the process, and at the edge the request id. */
export function createLog(minimum: LogLevel, base: LogFields, write: (line: string) => void = console.log): Log {
  const at = (level: LogLevel) => (event: string, fields?: LogFields) => {
    if (logLevels.indexOf(level) < logLevels.indexOf(minimum)) return;
    write(JSON.stringify({ at: new Date().toISOString(), level, event, ...base, ...fields }));
  };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** An error as log fields: what happened and why, without the stack's paths. */
export function errorFields(error: unknown): LogFields {
  if (!(error instanceof Error)) return { error: String(error) };
  const cause = error.cause instanceof Error ? error.cause.message : undefined;
  return { error: error.message, error_type: error.name, cause };
}
