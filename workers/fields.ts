// Sparse answers: `?fields=id,loans.status` keeps only what it names. The names are those of the answer's own schema,
// and one that is not there is a fault of the query, so that a client never takes a slip of the pen for "nothing known".

import * as z from 'zod/mini';

/** A field is wanted whole, or some fields of it. */
type Wanted = true | { [name: string]: Wanted };

const fieldsLimit = 100;
const textLimit = 2_000;

/** What may stand below a schema; undefined where nothing does. Lists and what may be missing are looked through. */
function below(schema: z.ZodMiniType, name: string): z.ZodMiniType | undefined {
  const { def } = (schema as z.ZodMiniAny)._zod as unknown as {
    def: {
      type: string;
      shape?: Record<string, z.ZodMiniType>;
      innerType?: z.ZodMiniType;
      element?: z.ZodMiniType;
      valueType?: z.ZodMiniType;
      out?: z.ZodMiniType;
      options?: z.ZodMiniType[];
      getter?: () => z.ZodMiniType;
    };
  };
  if (def.shape) return Object.hasOwn(def.shape, name) ? def.shape[name] : undefined;
  if (def.options) return def.options.map((option) => below(option, name)).find((found) => found);
  if (def.type === 'record') return def.valueType;
  const inner = def.innerType ?? def.element ?? def.out ?? def.getter?.();
  return inner && below(inner, name);
}

const isKnown = (schema: z.ZodMiniType, path: string): boolean => {
  let at: z.ZodMiniType | undefined = schema;
  for (const name of path.split('.')) at = at && below(at, name);
  return at !== undefined;
};

/** Without a prototype: a record may be asked for any name, "__proto__" too. */
const nothing = (): { [name: string]: Wanted } => Object.create(null);

function wantedOf(paths: readonly string[]): Wanted {
  const wanted = nothing();
  for (const path of paths) {
    const names = path.split('.');
    let at = wanted;
    for (const [i, name] of names.entries()) {
      if (at[name] === true) break;
      if (i === names.length - 1) at[name] = true;
      else {
        at[name] ??= nothing();
        at = at[name] as { [name: string]: Wanted };
      }
    }
  }
  return wanted;
}

/** The query's parameter, for answers (or a list's rows) of this schema: `z.object({ fields: fieldsOf(note) })`. */
export const fieldsOf = (schema: z.ZodMiniType) =>
  z.optional(
    z.pipe(
      z.string().check(
        z.maxLength(textLimit, `expected at most ${textLimit} characters`),
        z.refine((text) => text.split(',').length <= fieldsLimit, `expected at most ${fieldsLimit} fields`),
        z.refine(
          (text) => text.split(',').every((path) => isKnown(schema, path)),
          'expected names of fields of the answer, like a,b.c',
        ),
      ),
      z.transform((text) => wantedOf(text.split(','))),
    ),
  );

/** The thing with the wanted fields alone; all of it when none are named. */
export function picked<T>(value: T, wanted: Wanted | undefined): T {
  if (wanted === undefined || wanted === true || typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((one) => picked(one, wanted)) as T;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => Object.hasOwn(wanted, name))
      .map(([name, part]) => [name, picked(part, wanted[name])]),
  ) as T;
}
