// Sparse answers: `?fields=id,loans.status` keeps only what it names. The names are those of the answer's own schema,
// and one that is not there is a fault of the query, so that a client never takes a slip of the pen for "nothing known".

import * as z from 'zod/mini';

/** A field is wanted whole, or some fields of it. */
type Wanted = true | { [name: string]: Wanted };

const fieldsLimit = 100;
const textLimit = 2_000;

/** What a schema is made of. */
interface Parts {
  type: string;
  shape?: Record<string, z.ZodMiniType>;
  innerType?: z.ZodMiniType;
  element?: z.ZodMiniType;
  valueType?: z.ZodMiniType;
  out?: z.ZodMiniType;
  options?: z.ZodMiniType[];
  getter?: () => z.ZodMiniType;
}
const partsOf = (schema: z.ZodMiniType): Parts => (schema as z.ZodMiniAny)._zod.def as unknown as Parts;

/** What may stand below a schema; undefined where nothing does. Lists and what may be missing are looked through. */
function below(schema: z.ZodMiniType, name: string): z.ZodMiniType | undefined {
  const def = partsOf(schema);
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

/** By parameter, what it picks from. */
const pickedFrom = new WeakMap<object, z.ZodMiniType>();

/** The query's parameter, for answers (or a list's rows) of this schema: `z.object({ fields: fieldsOf(note) })`. */
export function fieldsOf(schema: z.ZodMiniType) {
  const parameter = z.optional(
    z.pipe(
      z.string().check(
        z.maxLength(textLimit, `expected at most ${textLimit} characters`),
        z.refine((text) => text.split(',').length <= fieldsLimit, `expected at most ${fieldsLimit} fields`),
        z.refine(
          (text) => text.split(',').every((path) => isKnown(schema, path)),
          'expected names of fields of the answer, like a,b.c',
        ),
        z.meta({ description: 'Only these of its fields, like `a,b.c`' }),
      ),
      z.transform((text) => wantedOf(text.split(','))),
    ),
  );
  pickedFrom.set(parameter, schema);
  return parameter;
}

/** The answer's schema where the query has `fields`: whatever may be left out is optional. Without, it is as it was. */
export function sparse(answer: z.ZodMiniType, query: z.ZodMiniObject | undefined): z.ZodMiniType {
  const parameter = query && partsOf(query).shape?.fields;
  const rows = parameter && pickedFrom.get(parameter);
  return rows ? loosened(answer, rows, false) : answer;
}

function loosened(schema: z.ZodMiniType, rows: z.ZodMiniType, isWithin: boolean): z.ZodMiniType {
  const { type, shape, element, innerType, options } = partsOf(schema);
  const isLoose = isWithin || schema === rows;
  const inner = (part: z.ZodMiniType) => loosened(part, rows, isLoose);
  if (shape) {
    const parts = Object.entries(shape).map(([name, part]) => [
      name,
      isLoose ? z.optional(inner(part)) : inner(part),
    ]);
    return z.object(Object.fromEntries(parts));
  }
  if (element) return z.array(inner(element));
  if (innerType && type === 'nullable') return z.nullable(inner(innerType));
  if (options) return z.union(options.map(inner));
  return schema;
}

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
