import { describe, expect, test } from 'vitest';
import { ClaimAhead } from '../../src/runtime/claim-ahead.ts';

describe('ClaimAhead', () => {
  test('is what ends within its time at the pace of the attempts since the claim before', () => {
    const { ahead, pass, end } = aheadOf(200);
    expect(ahead.count).toBe(0);
    end(10);
    pass(20);
    ahead.decide();
    expect(ahead.count).toBe(25);
    end(1);
    pass(100);
    ahead.decide();
    expect(ahead.count).toBe(0);
  });

  test('is no more than it may be, however quick they are', () => {
    const { ahead, end } = aheadOf(200);
    end(1_000);
    ahead.decide();
    expect(ahead.count).toBe(200);
  });

  test('is nothing again as soon as none end', () => {
    const { ahead, pass, end } = aheadOf(200);
    end(100);
    pass(20);
    ahead.decide();
    pass(20);
    ahead.decide();
    expect(ahead.count).toBe(0);
  });
});

function aheadOf(most: number) {
  let nowMs = 0;
  const ahead = new ClaimAhead({ most, withinMs: 50, now: () => nowMs });
  return {
    ahead,
    pass: (ms: number) => {
      nowMs += ms;
    },
    end: (count: number) => {
      for (let n = 0; n < count; n++) ahead.ended();
    },
  };
}
