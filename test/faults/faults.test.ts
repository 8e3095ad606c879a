import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const table = readFileSync(new URL('README.md', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => /^\| F\d+ \|/.test(line));

const columns = ['row', 'fault', 'promise', 'test', 'fails without'];

function cellOf(row: string, column: string): string {
  return row.replace(/^\| | \|$/g, '').split(' | ')[columns.indexOf(column)] ?? '';
}

/** The tests that a row names: files with the titles behind each. */
function testsOf(row: string): { file: string; titles: string[] }[] {
  return [...cellOf(row, 'test').matchAll(/`([^`]+\.test\.ts)`: ((?:"[^"]+"(?:, )?)+)/g)].map(
    ([, file = '', titles = '']) => ({
      file,
      titles: [...titles.matchAll(/"([^"]+)"/g)].map(([, title = '']) => title),
    }),
  );
}

describe('the table of faults', () => {
  test.each(table.map((row) => [cellOf(row, 'row'), row]))('%s names tests that exist', (_, row) => {
    const tests = testsOf(row);
    expect(tests.length).toBeGreaterThan(0);
    for (const { file, titles } of tests) {
      const source = readFileSync(new URL(file, import.meta.url), 'utf8');
      for (const title of titles) expect(source).toContain(title);
    }
  });

  test.each(table.map((row) => [cellOf(row, 'row'), row]))('%s says without what they fail', (_, row) => {
    expect(cellOf(row, 'fails without')).not.toBe('');
  });

  test('has each row once, in order', () => {
    const numbers = table.map((row) => Number(/\d+/.exec(row)?.[0]));
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    expect(numbers).toEqual(expect.arrayContaining([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16, 17]));
  });
});
