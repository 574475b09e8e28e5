// JSON whose numbers keep their source text: parsing 10.000000000000000001 and writing it again gives the same
// digits. Refuses what Postgres could not keep as jsonb, so that it is a clear answer here and not a fault there.

/** A JSON number as it was written, see JSON.rawJSON (stringify writes `rawJSON` verbatim). */
export interface NumberSource {
  readonly rawJSON: string;
}

interface ExactJson {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { source: string }) => unknown,
  ): unknown;
  rawJSON(text: string): NumberSource;
  isRawJSON(value: unknown): value is NumberSource;
}
const exact = JSON as unknown as ExactJson;

export const isNumberSource = (value: unknown): value is NumberSource => exact.isRawJSON(value);

const depthLimit = 100;
/** A double needs fewer. Postgres would write 0e-16383 out in full, and keeps no more decimals than that. */
const decimalsLimit = 1000;

/**
 * Parses JSON, leaving every number as NumberSource. Throws SyntaxError with a reason that may be shown to the
 * sender: not JSON, nested deeper than 100, numbers beyond a double's range or with more than 1000 decimals,
 * U+0000 or a lone surrogate in a text. What jsonb makes of the text is accepted again.
 */
export function parseExactJson(text: string): unknown {
  checkDepth(text);
  return exact.parse(text, (key, value, { source }) => {
    if (!isStorable(key)) throw new SyntaxError('a key holds U+0000 or a lone surrogate');
    if (typeof value === 'string' && !isStorable(value)) {
      throw new SyntaxError('a text holds U+0000 or a lone surrogate');
    }
    if (typeof value !== 'number') return value;
    const fault = numberFault(value, source);
    if (fault) throw new SyntaxError(fault);
    return exact.rawJSON(source);
  });
}

/** Parses JSON that is kept already, numbers as NumberSource too; what an earlier check let in is not refused now. */
export const readExactJson = (text: string): unknown =>
  exact.parse(text, (_key, value, { source }) => (typeof value === 'number' ? exact.rawJSON(source) : value));

function numberFault(value: number, source: string): string | undefined {
  const end = source.search(/[eE]/);
  const mantissa = end < 0 ? source : source.slice(0, end);
  const exponent = end < 0 ? 0 : Number(source.slice(end + 1));
  const vanished = value === 0 && /[1-9]/.test(mantissa);
  if (!Number.isFinite(value) || vanished) return 'a number is beyond the range of a double';
  const point = mantissa.indexOf('.');
  const decimals = (point < 0 ? 0 : mantissa.length - point - 1) - exponent;
  return decimals > decimalsLimit || exponent > decimalsLimit
    ? `a number has more than ${decimalsLimit} decimals`
    : undefined;
}

const isStorable = (text: string) => text.isWellFormed() && !text.includes('\u0000');

function checkDepth(text: string): void {
  let depth = 0;
  let inText = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (inText && character === '\\') i += 1;
    else if (character === '"') inText = !inText;
    else if (!inText && (character === '[' || character === '{')) depth += 1;
    else if (!inText && (character === ']' || character === '}')) depth -= 1;
    if (depth > depthLimit) throw new SyntaxError(`nested deeper than ${depthLimit}`);
  }
}
