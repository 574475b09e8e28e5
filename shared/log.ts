// One line of JSON per event on standard output. Ids, codes and durations only: never a name, an account, a
// reference, a body, a header's value or a secret. An error is logged
// with its message and frames, never with its cause, which may quote values.

export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];
export type LogFields = Record<string, string | number | boolean | null | undefined>;
export type Log = Record<LogLevel, (event: string, fields?: LogFields) => void>;

/** `base` is added to every line: the process, and at the edge the request id. */
export function createLog(
  minimum: LogLevel,
  base: LogFields,
  write: (line: string) => void = console.log,
): Log {
  const at = (level: LogLevel) => (event: string, fields?: LogFields) => {
    if (logLevels.indexOf(level) < logLevels.indexOf(minimum)) return;
    write(JSON.stringify({ at: new Date().toISOString(), level, event, ...base, ...fields }));
  };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** An error as log fields: its type, its message and where it came from. */
export function errorFields(error: unknown): LogFields {
  if (!(error instanceof Error)) return { error: String(error) };
  const frames = error.stack?.split('\n').filter((line) => line.startsWith('    at '));
  return { error: error.message, error_type: error.name, stack: frames?.slice(0, 8).join('\n') };
}
