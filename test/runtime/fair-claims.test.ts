import { describe, expect, test } from 'vitest';
import { type ClaimingLane, FairClaims } from '../../src/runtime/fair-claims.ts';
import type { ClaimedEvent } from '../../src/store/claim-events.ts';

const events = (tenantId: string, count: number, first = 1) =>
  Array.from({ length: count }, (_, n) => ({ tenantId, position: String(first + n) }) as ClaimedEvent);

function claims() {
  const clock = { ms: 0 };
  const fair = new FairClaims({ batchSize: 200, now: () => clock.ms });
  const lane: ClaimingLane = { after: '0', restarts: 0 };
  /** Claims in order and learns from the answer. */
  const claim = (inOrder: ClaimedEvent[], after = '9') => {
    const plan = fair.plan(lane, after);
    fair.claimed(plan, { express: [], inOrder, last: '5000', lastedMs: 1 });
    return plan;
  };
  return { clock, fair, lane, claim };
}

describe('FairClaims', () => {
  test('asks for nothing but a claim in order while claims are not full', () => {
    const { fair, claim } = claims();
    for (let n = 0; n < 3; n++) {
      expect(claim(events('a', 199), String(n))).toEqual({
        express: null,
        inOrder: { after: String(n), without: [], limit: 200 },
        isWalk: false,
      });
    }
    expect(fair.wantsWalk).toBe(false);
  });

  test('keeps whole batches for a tenant that is alone, and makes them small while others are there', () => {
    const { clock, claim } = claims();
    claim(events('big', 200));
    expect(claim(events('big', 200)).inOrder?.limit).toBe(200);
    claim([...events('big', 199), ...events('small', 1, 200)]);
    expect(claim(events('big', 100)).inOrder?.limit).toBe(100);
    clock.ms += 61_000;
    expect(claim(events('big', 200)).inOrder?.limit).toBe(200);
  });

  test('walks through the outbox first, then looks at its end, and walks again for a twentieth of the time', () => {
    const { clock, fair, lane, claim } = claims();
    claim(events('big', 200));
    expect(fair.wantsWalk).toBe(true);
    fair.beginWalk(lane, { first: '1', last: '50000' });
    const pages: unknown[] = [];
    while (fair.isWalking(lane)) {
      const plan = fair.plan(lane, '0');
      pages.push(plan.express?.range.upTo);
      expect(plan).toMatchObject({ inOrder: null, isWalk: true, express: { without: ['big'] } });
      fair.claimed(plan, { express: [], inOrder: [], last: '50000', lastedMs: 100 });
    }
    expect(pages).toEqual(['20000', '40000', '60000']);
    expect(claim(events('big', 200)).express?.range).toEqual({ after: '50000', upTo: null });
    clock.ms += 5_999;
    expect(fair.wantsWalk).toBe(false);
    clock.ms += 1;
    expect(fair.wantsWalk).toBe(true);
  });

  test('looks at the end of the outbox between the pages of a later walk, and not beside a claim from the start', () => {
    const { clock, fair, lane, claim } = claims();
    claim(events('big', 200));
    fair.beginWalk(lane, { first: '1', last: '100' });
    const next = () => {
      const plan = fair.plan(lane, '9');
      fair.claimed(plan, { express: [], inOrder: [], last: '100', lastedMs: 1 });
      return plan.express?.range.upTo;
    };
    next();
    clock.ms += 2_000;
    claim(events('big', 200));
    fair.beginWalk(lane, { first: '1', last: '50000' });
    expect([next(), next(), next(), next(), next()]).toEqual(['20000', null, '40000', null, '60000']);
    expect(fair.plan(lane, '0')).toMatchObject({ express: null, inOrder: { after: '0' } });
  });

  test('a walk ends when the backlog it goes around is over, so that the lane comes to rest', () => {
    const { clock, fair, lane, claim } = claims();
    claim(events('big', 200));
    fair.beginWalk(lane, { first: '1', last: '100' });
    fair.claimed(fair.plan(lane, '0'), { express: [], inOrder: [], last: '100', lastedMs: 1 });
    // Nothing of the crowd since the last walk: the next one finds nobody to go around.
    clock.ms += 2_000;
    expect(fair.wantsWalk).toBe(true);
    fair.beginWalk(lane, { first: null, last: '100' });
    expect(fair.isWalking(lane)).toBe(false);
    // A claim from the start that is not full, while a lane walks, shows that nobody is in the way either.
    const second: ClaimingLane = { after: '0', restarts: 0 };
    claim(events('big', 200));
    fair.beginWalk(second, { first: '1', last: '50000' });
    expect(fair.isWalking(second)).toBe(true);
    fair.claimed(
      { express: null, inOrder: { after: '0', without: [], limit: 200 }, isWalk: false },
      { express: [], inOrder: [], last: null, lastedMs: 1 },
    );
    expect(fair.isWalking(second)).toBe(false);
    expect(fair.plan(second, '0')).toMatchObject({ express: null, isWalk: false, inOrder: { after: '0' } });
  });

  test('another lane goes on with the walk of one that ended', () => {
    const { fair, lane, claim } = claims();
    claim(events('big', 200));
    fair.beginWalk(lane, { first: '1', last: '50000' });
    fair.leave(lane);
    const other: ClaimingLane = { after: '0', restarts: 0 };
    expect(fair.plan(other, '0').isWalk).toBe(true);
  });

  test('follows the end of the outbox with a delay, because a position is visible only at commit', () => {
    const { clock, fair, lane, claim } = claims();
    claim(events('big', 200));
    fair.beginWalk(lane, { first: '1', last: '100' });
    const floorAfter = (ms: number, last: string) => {
      clock.ms += ms;
      const plan = fair.plan(lane, '9');
      fair.claimed(plan, { express: [], inOrder: events('big', 50), last, lastedMs: 1 });
      return plan.express?.range.after;
    };
    floorAfter(0, '100');
    expect([floorAfter(10, '150'), floorAfter(200, '200'), floorAfter(10, '300')]).toEqual(['100', '100', '100']);
    floorAfter(200, '400');
    expect(floorAfter(10, '500')).toBe('200');
  });

  test('leaves a tenant that waits out of every claim; afterwards all lanes begin at the start again', () => {
    const { clock, fair, lane } = claims();
    fair.wait({ tenantId: 'over', forMs: 1_000 });
    const plan = fair.plan(lane, '77');
    expect([plan.inOrder?.without, plan.inOrder?.after]).toEqual([['over'], '77']);
    expect(fair.awake.without).toEqual(['over']);
    clock.ms += 1_000;
    expect(fair.plan(lane, '77').inOrder).toEqual({ after: '0', without: [], limit: 200 });
    expect(fair.plan({ after: '88', restarts: 0 }, '88').inOrder?.after).toBe('0');
    expect(fair.plan(lane, '77').inOrder?.after).toBe('77');
  });

  test('nobody rests longer than a tenant waits', () => {
    const { clock, fair } = claims();
    expect(fair.restMs).toBe(Number.POSITIVE_INFINITY);
    fair.wait({ tenantId: 'over', forMs: 1_000 });
    clock.ms += 400;
    expect(fair.restMs).toBeLessThanOrEqual(600);
  });
});
