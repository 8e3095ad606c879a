import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IntervalTree } from '../../src/match/interval-tree.ts';

const end = fc.oneof(
  fc.integer({ min: -20, max: 20 }),
  fc.constantFrom(Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, 0.5),
);
const window = fc.tuple(end, end);

function found(tree: IntervalTree<string>, at: number): string[] {
  const values: string[] = [];
  tree.visit(at, (value) => values.push(value));
  return values.sort();
}

describe('IntervalTree', () => {
  test('finds what a list would find, whatever was added and removed', async () => {
    const change = fc.record({ window, isRemoval: fc.boolean() });
    await fc.assert(
      fc.property(fc.array(change, { maxLength: 120 }), (changes) => {
        const tree = new IntervalTree<string>();
        const list = new Map<string, readonly [number, number]>();
        for (const { window, isRemoval } of changes) {
          const name = window.join(' ');
          const isThere = list.has(name);
          expect(tree.get(...window)).toBe(isThere ? name : undefined);
          if (isRemoval && isThere) {
            tree.remove(...window);
            list.delete(name);
          } else if (!isRemoval && !isThere) {
            tree.add(...window, name);
            list.set(name, window);
          }
        }
        expect(tree.size).toBe(list.size);
        for (let at = -21; at <= 21; at += 0.5) {
          const expected = [...list].filter(([, [min, max]]) => min <= at && at <= max).map(([name]) => name);
          expect(found(tree, at)).toEqual(expected.sort());
        }
      }),
      { numRuns: 200 },
    );
  });

  test('stays shallow when windows come in order', () => {
    const tree = new IntervalTree<number>();
    for (let i = 0; i < 50_000; i++) tree.add(i, i + 2, i);
    const values: number[] = [];
    tree.visit(25_000, (value) => values.push(value));
    expect(values.sort()).toEqual([24_998, 24_999, 25_000]);
    for (let i = 0; i < 50_000; i++) tree.remove(i, i + 2);
    expect(tree.size).toBe(0);
  });
});
