import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  appendCausation,
  formatCausation,
  longestCausation,
  loopOf,
  parseCausation,
} from '../../src/model/causation.ts';

const [a, b, c] = [randomUUID(), randomUUID(), randomUUID()];
const limits = { maxDepth: 8, maxRepeats: 3 };

describe('parseCausation', () => {
  test('reads what formatCausation writes', () => {
    fc.assert(
      fc.property(fc.array(fc.uuid(), { maxLength: longestCausation }), (chain) => {
        expect(parseCausation(formatCausation(chain))).toEqual(chain);
      }),
    );
  });

  test('leaves out what is no id of a workflow, and keeps the rest', () => {
    expect(parseCausation(`${a}, nonsense ,${b.toUpperCase()},,'; drop table`)).toEqual([a, b]);
    expect(parseCausation('not a chain')).toEqual([]);
    expect(parseCausation(null)).toEqual([]);
  });

  test('takes any text, and never more than the longest chain', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 5_000 }), fc.nat(100), (text, count) => {
        const chain = parseCausation(`${text},${Array.from({ length: count }, () => a).join(',')}`);
        expect(chain.length).toBeLessThanOrEqual(longestCausation);
        expect(chain.length).toBeGreaterThanOrEqual(Math.min(count, longestCausation));
      }),
    );
  });
});

describe('appendCausation', () => {
  test('puts the workflow behind what led to the event', () => {
    expect(appendCausation(null, a)).toBe(a);
    expect(appendCausation(`${a},${b}`, c)).toBe(`${a},${b},${c}`);
  });

  test('a chain that is cut stays too deep for every limit', () => {
    let chain: string | null = null;
    for (let n = 0; n < 2 * longestCausation; n++) chain = appendCausation(chain, randomUUID());
    expect(parseCausation(chain)).toHaveLength(longestCausation);
    expect(loopOf(chain, a, { maxDepth: longestCausation, maxRepeats: longestCausation })).not.toBeNull();
  });
});

describe('loopOf', () => {
  test('an event that nothing of ours led to is no loop', () => {
    expect(loopOf(null, a, limits)).toBeNull();
    expect(loopOf('forged', a, limits)).toBeNull();
  });

  test('a chain as deep as the limit starts no workflow', () => {
    const chain = Array.from({ length: 8 }, () => randomUUID());
    expect(loopOf(chain.slice(1).join(','), a, limits)).toBeNull();
    expect(loopOf(chain.join(','), a, limits)).toEqual(chain);
  });

  test('a workflow is not started once more when it stands in the chain as often as it may; others are', () => {
    const chain = [a, b, a, a];
    expect(loopOf(chain.slice(1).join(','), a, limits)).toBeNull();
    expect(loopOf(chain.join(','), a, limits)).toEqual(chain);
    expect(loopOf(chain.join(','), b, limits)).toBeNull();
  });
});
