import { expect, test } from 'vitest';
import { csvLine } from './csv.ts';

test('commas, quotes and line ends are enclosed, and nothing is empty', () => {
  expect(csvLine(['a', 'b,c', 'say "x"', 'two\nlines', null, ''])).toBe(
    'a,"b,c","say ""x""","two\nlines",,\r\n',
  );
});

test.each(['=1+1', '+49 30', '-1', '@x', '\tx', '\r=x', '＝1'])('%j is no formula', (text) => {
  expect(csvLine([text]).replaceAll('"', '').startsWith(`'${text}`)).toBe(true);
});

test('what only holds such a sign stays as it is', () => {
  expect(csvLine(['a=b', '2026-11-25'])).toBe('a=b,2026-11-25\r\n');
});
