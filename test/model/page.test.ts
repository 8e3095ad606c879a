import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { pageInput, pageOf } from '../../src/model/page.ts';
import { isStorableText } from '../../src/model/storable-text.ts';

describe('pageOf', () => {
  test('gives a cursor only when there is more', () => {
    expect(pageOf(['a', 'b'], 2, (row) => row)).toEqual({ items: ['a', 'b'], nextCursor: null });
    expect(pageOf(['a', 'b', 'c'], 2, (row) => row)).toEqual({ items: ['a', 'b'], nextCursor: expect.any(String) });
    expect(pageOf([], 2, String)).toEqual({ items: [], nextCursor: null });
  });

  test('gives a cursor that reads back as the key, whatever the key', async () => {
    const key = fc.string({ minLength: 1, unit: 'binary' }).filter(isStorableText);
    await fc.assert(
      fc.property(key, (key) => {
        const { nextCursor } = pageOf([key, 'next'], 1, (row) => row);
        expect(pageInput.parse({ cursor: nextCursor }).cursor).toBe(key);
      }),
    );
  });
});

describe('pageInput', () => {
  test.each([[''], ['a'], ['@@@@'], ['AA=='], ['AA'], ['/w']])('refuses %j as cursor', (cursor) => {
    expect(pageInput.safeParse({ cursor }).success).toBe(false);
  });
});
