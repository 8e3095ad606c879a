import { beforeEach, describe, expect, test } from 'vitest';
import { EndpointLanes, type Turn } from '../../src/deliver/endpoint-lanes.ts';

let now = 0;
const clock = { now: () => new Date(now), elapsedMs: () => now };
const a = { tenantId: 't', origin: 'https://a.example' };
const b = { tenantId: 't', origin: 'https://b.example' };

function lanes(perEndpoint: number, perTenant = 100): EndpointLanes {
  return new EndpointLanes({ perEndpoint, perTenant, clock });
}

function leave(turn: Turn): void {
  if (turn.kind === 'go') turn.leave();
}

beforeEach(() => {
  now = 0;
});

describe('EndpointLanes', () => {
  test('lets no more in at once than an endpoint is given, and the next when one leaves', async () => {
    const made = lanes(2);
    const [first] = [await made.enter(a), await made.enter(a)];
    let isThird = false;
    const third = made.enter(a).then((turn) => {
      isThird = true;
      return turn;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(isThird).toBe(false);
    leave(first);
    expect((await third).kind).toBe('go');
  });

  test('gives the place of one that leaves to the one that waited, not to one that comes in the same moment', async () => {
    const made = lanes(1);
    const first = await made.enter(a);
    const waiting = made.enter(a);
    leave(first);
    now = 1_000;
    const late = made.enter(a);
    expect((await waiting).kind).toBe('go');
    expect((await late).kind).toBe('later');
  });

  test('sends away at once what would wait beside requests that hang, and leaves other endpoints and tenants alone', async () => {
    const made = lanes(2);
    await made.enter(a);
    await made.enter(a);
    now = 1_000;
    expect((await made.enter(a)).kind).toBe('later');
    expect((await made.enter(b)).kind).toBe('go');
    expect((await made.enter({ ...a, tenantId: 'other' })).kind).toBe('go');
  });

  test('does not wait for long beside requests that have just begun', async () => {
    const made = lanes(1);
    await made.enter(a);
    expect(await made.enter(a)).toMatchObject({ kind: 'later' });
  });

  test('tells each one that it sends away to come back later than the one before, about when its turn is', async () => {
    const made = lanes(2);
    await made.enter(a);
    await made.enter(a);
    now = 2_000;
    const waits: number[] = [];
    for (let n = 0; n < 100; n++) {
      const turn = await made.enter(a);
      if (turn.kind === 'later') waits.push(turn.afterMs);
    }
    expect(waits.slice(0, 5)).toEqual([1_000, 2_000, 3_000, 4_000, 5_000]);
    expect(Math.max(...waits)).toBe(30_000);
  });

  test('leaves places to other tenants when many endpoints of one hang', async () => {
    const made = lanes(4, 3);
    for (let n = 0; n < 3; n++) await made.enter({ tenantId: 't', origin: `https://${n}.example` });
    expect((await made.enter(a)).kind).toBe('go');
    now = 1_000;
    expect((await made.enter(b)).kind).toBe('later');
    expect((await made.enter({ ...b, tenantId: 'other' })).kind).toBe('go');
  });
});
