import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ownProperty, parseJson, stringifyJson } from '../../src/model/json.ts';

describe('parseJson', () => {
  test('keeps integers that a double cannot hold as bigints, wherever they stand', () => {
    expect(parseJson('{"id": 9007199254740993, "items": [-9223372036854775808, 7]}')).toEqual({
      id: 9007199254740993n,
      items: [-9223372036854775808n, 7],
    });
  });

  test('leaves digits in text alone', () => {
    expect(parseJson('{"card": "4111111111111111", "n": 1}')).toEqual({ card: '4111111111111111', n: 1 });
  });

  test('reads what stringifyJson wrote, bigints included', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.oneof(fc.bigInt({ min: 2n ** 53n, max: 2n ** 80n }), fc.string(), fc.integer())),
        (value) => {
          expect(parseJson(stringifyJson(value))).toEqual({ ...value });
        },
      ),
    );
  });
});

describe('ownProperty', () => {
  test('reads own properties only', () => {
    expect(ownProperty({ a: 1 }, 'a')).toBe(1);
    for (const key of ['constructor', 'toString', '__proto__', 'hasOwnProperty'])
      expect(ownProperty({ a: 1 }, key)).toBeUndefined();
    expect(ownProperty(JSON.parse('{"__proto__": 5}'), '__proto__')).toBe(5);
    expect(ownProperty('text', 'length')).toBeUndefined();
    expect(ownProperty(null, 'a')).toBeUndefined();
  });
});
