import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkImage, maxImageBytes, maxImageDepth } from '../../src/capture/check-image.ts';

function nested(levels: number): unknown {
  return levels === 0 ? 1 : [nested(levels - 1)];
}

describe('checkImage', () => {
  test.each([
    ['a NUL', { a: [{ b: 'x\u0000' }] }, 'payload.a[0].b'],
    ['half of a surrogate pair', { a: '\ud800' }, 'payload.a'],
    ['a NUL in a key', { a: { 'x\u0000': 1 } }, 'payload.a.x\u0000'],
    ['NaN', { total: Number.NaN }, 'payload.total'],
    ['a function', { run: () => 1 }, 'payload.run'],
    ['a symbol', [Symbol('x')], 'payload[0]'],
    ['a Map', { tags: new Map([['a', 1]]) }, 'payload.tags'],
    ['a date that is none', { at: { toJSON: () => Number.POSITIVE_INFINITY } }, 'payload.at'],
    ['a level too many', nested(maxImageDepth + 1), 'payload'],
    ['a byte too many', { text: 'x'.repeat(maxImageBytes - 10) }, 'payload'],
  ])('names the place of %s', (_what, image, path) => {
    expect(checkImage('payload', image).map((issue) => issue.path)).toEqual([path]);
  });

  test('finds the end of a value that refers to itself', () => {
    const self: Record<string, unknown> = {};
    self.self = self;
    expect(checkImage('payload', self)).toMatchObject([{ message: 'is nested deeper than 64' }]);
  });

  test('lets everything else through: dates, bigints, what is undefined, and as much as is allowed', () => {
    expect(
      checkImage('payload', { at: new Date(0), n: 2n ** 70n, u: undefined, deep: nested(maxImageDepth - 1) }),
    ).toEqual([]);
    expect(checkImage('payload', { text: 'x'.repeat(maxImageBytes - 11) })).toEqual([]);
    expect(checkImage('previous', null)).toEqual([]);
  });

  test('lets every JSON value through that has only storable text', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'grapheme', maxDepth: 5 }), (value) => {
        fc.pre(!JSON.stringify(value).includes('\\u0000'));
        expect(checkImage('payload', value)).toEqual([]);
      }),
    );
  });
});
