// Lines as CSV (RFC 4180). What a spreadsheet would take for a formula is made text by an apostrophe in front of it, as
// names and reasons come from outside.

const formula = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/u;

function cell(value: string | null): string {
  if (value === null) return '';
  const text = formula.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export const csvLine = (cells: ReadonlyArray<string | null>): string => `${cells.map(cell).join(',')}\r\n`;
