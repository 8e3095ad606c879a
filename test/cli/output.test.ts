import { describe, expect, test } from 'vitest';
import { harmless, table } from '../../src/cli/output.ts';

const green = (text: string) => `\u001b[32m${text}\u001b[39m`;
const dim = (text: string) => `\u001b[2m${text}\u001b[22m`;

describe('table', () => {
  const headings = ['status', 'name'];

  test('puts cells under their headings, in colours or not', () => {
    const rows = [
      [green('success'), 'one'],
      [dim('skipped'), 'two'],
      ['failed', 'three'],
    ];
    const lines = table(headings, rows, 'none').split('\n').slice(1);
    expect(lines).toEqual([`${green('success')}  one`, `${dim('skipped')}  two`, 'failed   three']);
  });

  test('keeps a row on one line, and says when there is none', () => {
    expect(
      table(headings, [['a\nb', 'c']], 'none')
        .split('\n')
        .at(-1),
    ).toBe('a b     c');
    expect(table(headings, [], 'none')).toBe('none');
  });
});

describe('harmless', () => {
  test('leaves colours and line breaks, and takes what else a terminal obeys', () => {
    expect(harmless(`${green('ok')}\n${dim('x')}`)).toBe(`${green('ok')}\n${dim('x')}`);
    expect(harmless('\u001b]0;title\u0007 \u001b[2J\u001b[1;1H \u009b5n a\tb\rc')).toBe(
      ' ]0;title   [2J [1;1H  5n a b c',
    );
  });
});
