import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GradualMap } from '../../src/match/gradual-map.ts';

const key = fc.oneof(
  fc.integer({ min: 0, max: 2_000 }),
  fc.double({ noNaN: true }),
  fc.string({ maxLength: 3 }),
  fc.uuid(),
  fc.constantFrom(true, false, null, -0, 1.7e15, Number.POSITIVE_INFINITY),
);

describe('GradualMap', () => {
  test('holds what a map would hold, whatever was set and deleted', async () => {
    const change = fc.record({ key, value: fc.nat(), isDeletion: fc.boolean() });
    await fc.assert(
      fc.property(fc.array(change, { maxLength: 200 }), (changes) => {
        const gradual = new GradualMap<string | number | boolean | null, number>();
        const map = new Map<string | number | boolean | null, number>();
        // So many that there are several chunks.
        for (let i = 0; i < 1_500; i++) {
          gradual.set(`filler ${i}`, i);
          map.set(`filler ${i}`, i);
        }
        for (const { key: at, value, isDeletion } of changes) {
          if (isDeletion) {
            gradual.delete(at);
            map.delete(at);
          } else {
            gradual.set(at, value);
            map.set(at, value);
          }
        }
        expect(gradual.size).toBe(map.size);
        for (const at of [...map.keys(), ...changes.map((one) => one.key)]) expect(gradual.get(at)).toBe(map.get(at));
        expect(new Map([...gradual.keys()].map((at) => [at, gradual.get(at)]))).toEqual(map);
      }),
      { numRuns: 100 },
    );
  });

  test.each<[string, (i: number) => string | number]>([
    ['numbers in a row', (i) => i],
    ['moments', (i) => 1_767_225_600_000_000 + i * 60_000_000],
    ['fractions', (i) => i / 100],
    [
      'UUIDs of one day',
      (i) => `019a0000-${String(i).padStart(4, '0')}-7000-8000-0000000${String(i).padStart(5, '0')}`,
    ],
    ['mail addresses', (i) => `customer-${i}@acme.example`],
  ])('spreads %s evenly, so that no addition moves many', (_, keyOf) => {
    const gradual = new GradualMap<string | number, number>();
    for (let i = 0; i < 50_000; i++) gradual.set(keyOf(i), i);
    expect(gradual.largestChunk).toBeLessThan(3_000);
  });
});
