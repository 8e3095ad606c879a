import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LowWaterMark } from '../../src/engine/low-water-mark.ts';

/** A queue of rows that are there from `fromMs` to `toMs`, and a mark that looks at it. */
function queue(rows: readonly { place: number; fromMs: number; toMs: number }[], settleMs = 1_000) {
  let nowMs = 0;
  const mark = new LowWaterMark({ settleMs, now: () => nowMs });
  const visible = () => rows.filter(({ fromMs, toMs }) => fromMs <= nowMs && nowMs < toMs);
  return {
    mark,
    visible,
    /** At a moment, looks if a look is due; it takes so long on the server. */
    at: (ms: number, lastedMs: number) => {
      nowMs = ms;
      const after = mark.wantsLook();
      if (after === null) return null;
      const places = visible().flatMap(({ place }) => (place > after ? [place] : []));
      const first = places.length > 0 ? BigInt(Math.min(...places)) : null;
      mark.looked({ after, first, next: 1_000n, lastedMs });
      return after;
    },
  };
}

const waits = { fromMs: 0, toMs: Number.POSITIVE_INFINITY };

describe('LowWaterMark', () => {
  test('claims begin at the start as long as that is quick', () => {
    const { mark, at } = queue([{ place: 500, ...waits }]);
    for (let ms = 0; ms < 20_000; ms += 100) at(ms, 1);
    expect(mark.start).toBe(0n);
  });

  test('claims begin behind what was passed for a while, when looks from the start are costly', () => {
    const { mark, at } = queue([{ place: 500, ...waits }]);
    for (let ms = 0; ms < 20_000; ms += 100) at(ms, 50);
    expect(mark.start).toBe(499n);
    for (let ms = 20_000; ms < 40_000; ms += 100) at(ms, 1);
    expect(mark.start).toBe(0n);
  });

  test('a look from the start comes each second, or for a twentieth of the time', () => {
    for (const { lastedMs, everyMs } of [
      { lastedMs: 20, everyMs: 1_000 },
      { lastedMs: 300, everyMs: 6_000 },
    ]) {
      const { at } = queue([{ place: 500, ...waits }]);
      const whole: number[] = [];
      for (let ms = 0; ms <= 60_000; ms += 100) if (at(ms, lastedMs) === 0n) whole.push(ms);
      // Before anything was passed, every look is one from the start.
      const settled = whole.filter((ms) => ms > 10_000);
      expect(settled.slice(1).map((ms, index) => ms - (settled[index] ?? 0))).toEqual(
        Array.from({ length: settled.length - 1 }, () => everyMs),
      );
    }
  });

  test('a row that appears below the mark brings it down at the next look from the start', () => {
    const { mark, at } = queue([
      { place: 500, ...waits },
      { place: 7, fromMs: 10_000, toMs: Number.POSITIVE_INFINITY },
    ]);
    for (let ms = 0; ms < 10_000; ms += 100) at(ms, 100);
    expect(mark.start).toBe(499n);
    for (let ms = 10_000; ms <= 12_000; ms += 100) at(ms, 100);
    expect(mark.start).toBe(6n);
  });

  test('what commits in disorder within the time to settle is never passed', () => {
    const rows = [
      { place: 500, fromMs: 0, toMs: 5_050 },
      { place: 501, fromMs: 9_000, toMs: Number.POSITIVE_INFINITY },
      { place: 900, fromMs: 5_000, toMs: Number.POSITIVE_INFINITY },
    ];
    const { mark, at } = queue(rows, 5_000);
    for (let ms = 0; ms < 30_000; ms += 50) {
      at(ms, 300);
      expect(mark.start).toBeLessThan(501n);
    }
    expect(mark.start).toBe(500n);
  });

  test('only one looks at a time; one that failed at once lets the next', () => {
    const clock = { ms: 5_000 };
    const mark = new LowWaterMark({ settleMs: 1_000, now: () => clock.ms });
    expect(mark.wantsLook()).toBe(0n);
    expect(mark.wantsLook()).toBeNull();
    mark.failed(1);
    clock.ms += 1_000;
    expect(mark.wantsLook()).toBe(0n);
  });

  test('one that failed after long is not made again with each claim', () => {
    const clock = { ms: 0 };
    const mark = new LowWaterMark({ settleMs: 1_000, now: () => clock.ms });
    let whole = 0;
    for (; clock.ms < 2_000_000; clock.ms += 10_000) {
      if (mark.wantsLook() !== 0n) {
        mark.failed(1);
        continue;
      }
      whole += 1;
      mark.failed(10_000);
    }
    expect(whole).toBeLessThan(15);
  });

  test('nothing is below the mark for longer than until the next look from the start, whenever it appears', () => {
    const row = fc.record({ place: fc.integer({ min: 1, max: 900 }), fromMs: fc.nat(60_000), forMs: fc.nat(60_000) });
    fc.assert(
      fc.property(fc.array(row, { maxLength: 30 }), fc.integer({ min: 1, max: 400 }), (given, lastedMs) => {
        const rows = given.map(({ place, fromMs, forMs }) => ({ place, fromMs, toMs: fromMs + forMs }));
        const { mark, visible, at } = queue(rows);
        const longest = Math.max(1_000, 20 * lastedMs) + 200;
        for (let ms = 0; ms < 90_000; ms += 100) {
          at(ms, lastedMs);
          for (const { place, fromMs } of visible()) {
            if (ms - fromMs > longest) expect(BigInt(place)).toBeGreaterThan(mark.start);
          }
        }
      }),
    );
  });
});
