import { afterEach, expect, test, vi } from 'vitest';
import { createLog, errorFields, type LogLevel, logLevels } from './log.ts';

afterEach(() => {
  vi.useRealTimers();
});

function logged(minimum: LogLevel, say: (log: ReturnType<typeof createLog>) => void): string[] {
  const lines: string[] = [];
  say(createLog(minimum, { process: 'publisher' }, (line) => lines.push(line)));
  return lines;
}

test('an event is one line of JSON with its time, its level and who said it', () => {
  vi.useFakeTimers({ now: Date.UTC(2026, 0, 2, 3, 4, 5, 6) });
  const [line] = logged('info', (log) => log.warn('late', { ms: 12, outcome: null, detail: undefined }));
  expect(line).toBe(
    '{"at":"2026-01-02T03:04:05.006Z","level":"warn","event":"late","process":"publisher","ms":12,"outcome":null}',
  );
});

test.each(logLevels)('at level %s nothing below it is said', (minimum) => {
  const lines = logged(minimum, (log) => {
    for (const level of logLevels) log[level]('event');
  });
  expect(lines.map((line) => JSON.parse(line).level)).toEqual(logLevels.slice(logLevels.indexOf(minimum)));
});

test('a value cannot break out of its line', () => {
  const lines = logged('info', (log) => log.info('event', { error: 'one\ntwo"}\u2028' }));
  expect(lines).toHaveLength(1);
  expect(lines[0]).not.toContain('\n');
  expect(JSON.parse(lines[0] as string).error).toBe('one\ntwo"}\u2028');
});

test('an error is told with its type, message and frames, and never with its cause', () => {
  const error = new RangeError('out of range', { cause: new Error('Key (reference_number)=(secret)') });
  const fields = errorFields(error);
  expect(fields).toMatchObject({ error: 'out of range', error_type: 'RangeError' });
  expect(fields.stack).toContain('log.test.ts');
  expect(JSON.stringify(fields)).not.toContain('secret');
});

test('of a deep stack the first eight frames are told', () => {
  const deep = (n: number): Error => (n === 0 ? new Error('deep') : deep(n - 1));
  expect(String(errorFields(deep(20)).stack).split('\n')).toHaveLength(8);
});

test.each(['text', 7, null, undefined])(
  'what was thrown without being an error, %j, is told as text',
  (thrown) => {
    expect(errorFields(thrown)).toEqual({ error: String(thrown) });
  },
);
