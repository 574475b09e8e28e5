// Settings come from the environment, once, at the start of a process. Every fault is listed at once, by name,
// and never with the value (it may be a secret).

import type * as z from 'zod/mini';

export class SettingsFault extends Error {
  override readonly name = 'SettingsFault';
  readonly faults: readonly string[];
  constructor(process: string, faults: readonly string[]) {
    super(`${process} cannot start, its settings need attention:\n${faults.map((f) => `  ${f}`).join('\n')}`);
    this.faults = faults;
  }
}

/** Empty strings count as absent, so that `NAME=` in an env file means the default. */
export function parseSettings<S extends z.ZodMiniType>(
  process: string,
  schema: S,
  env: Record<string, unknown>,
) {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data as z.output<S>;
  throw new SettingsFault(
    process,
    parsed.error.issues.map((i) => `${i.path.join('.') || 'settings'}: ${i.message}`),
  );
}
