import { describe, expect, test } from 'vitest';
import { parseJson, stringifyJson } from '../../src/model/json.ts';
import { cleanJson, maxDefinitionBytes, maxDefinitionDepth } from '../../src/service/clean-json.ts';

describe('cleanJson', () => {
  test('copies what JSON can say, bigints included, and leaves out what is undefined', () => {
    const input = { a: [1, 'x', null, true, 2n ** 60n], b: undefined, c: { d: {} } };
    const clean = cleanJson(input);
    expect(clean).toEqual({ value: { a: [1, 'x', null, true, 2n ** 60n], c: { d: {} } }, issues: [] });
    expect(clean.value).not.toBe(input);
    expect(clean.value).not.toHaveProperty('b');
  });

  test('holds whole numbers as they are read again', () => {
    const { value } = cleanJson([2 ** 53, -(2 ** 60), 1e21, -0, 5, 0.1]);
    expect(value).toEqual([9007199254740992n, -1152921504606847000n, 1e21, 0, 5, 0.1]);
    expect(parseJson(stringifyJson(value))).toEqual(value);
  });

  test('reads an array by its elements, whatever it was made to inherit', () => {
    expect(cleanJson(Object.setPrototypeOf(['a', 1], new Map()))).toEqual({ value: ['a', 1], issues: [] });
  });

  test('names every place that JSON or PostgreSQL cannot hold', () => {
    const { issues } = cleanJson({
      total: Number.NaN,
      at: new Date(0),
      list: [undefined, () => 1, 'a\u0000b'],
      text: '\ud800',
      ...Object.fromEntries([['k\u0000', 1]]),
      deep: JSON.parse('{"__proto__": 1}'),
    });
    expect(issues.map(({ path, message }) => `${path}: ${message}`)).toEqual([
      'total: NaN is not JSON',
      'at: a Date is not JSON',
      'list[0]: a value of type undefined is not JSON',
      'list[1]: a value of type function is not JSON',
      'list[2]: holds a NUL character or half of a surrogate pair, which PostgreSQL cannot store',
      'text: holds a NUL character or half of a surrogate pair, which PostgreSQL cannot store',
      ': "k\\u0000" cannot be the name of a field',
      'deep: "__proto__" cannot be the name of a field',
    ]);
  });

  test('refuses what is larger than the limit, counted in bytes', () => {
    const umlauts = 'ü'.repeat(maxDefinitionBytes / 2);
    expect(cleanJson(umlauts)).toEqual({
      value: undefined,
      issues: [{ path: '', message: 'is larger than 256 KiB as JSON' }],
    });
    expect(cleanJson(umlauts.slice(2)).issues).toEqual([]);
  });

  test('refuses what is nested too deeply, and what refers to itself', () => {
    const nested = (depth: number): unknown => (depth === 0 ? 1 : { a: nested(depth - 1) });
    expect(cleanJson(nested(maxDefinitionDepth)).issues).toEqual([]);
    expect(cleanJson(nested(maxDefinitionDepth + 1)).issues[0]?.message).toBe('is nested deeper than 32');
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    expect(cleanJson(circle).issues[0]?.message).toBe('is nested deeper than 32');
  });

  test('ends soon when a small input unfolds into a huge one', () => {
    let bomb: unknown = 'x';
    for (let i = 0; i < 30; i++) bomb = [bomb, bomb];
    expect(cleanJson(bomb)).toMatchObject({
      value: undefined,
      issues: [{ message: 'is larger than 256 KiB as JSON' }],
    });
  });
});
