import { describe, expect, test } from 'vitest';
import { FairPlaces } from '../../src/runtime/fair-places.ts';

describe('FairPlaces', () => {
  test('gives a tenant that is alone all places', () => {
    const places = new FairPlaces({ places: 4 });
    expect(takeAll(places, 'a')).toBe(4);
  });

  test('gives no tenant more than half of them while others are there, and a minute after', () => {
    let nowMs = 0;
    const places = new FairPlaces({ places: 4, now: () => nowMs });
    places.meet([{ tenantId: 'a' }]);
    places.meet([{ tenantId: 'b' }]);
    places.meet([{ tenantId: 'a' }]);
    expect(takeAll(places, 'a')).toBe(2);
    expect(takeAll(places, 'b')).toBe(2);
    nowMs = 60_000;
    expect(places.hasPlaceFor('a')).toBe(true);
  });

  test('has a place again for whoever leaves one', () => {
    const places = new FairPlaces({ places: 2 });
    places.meet([{ tenantId: 'a' }]);
    places.meet([{ tenantId: 'b' }]);
    expect(takeAll(places, 'a')).toBe(1);
    places.leave('a');
    expect(places.hasPlaceFor('a')).toBe(true);
  });
});

function takeAll(places: FairPlaces, tenantId: string): number {
  let taken = 0;
  for (; places.hasPlaceFor(tenantId); taken++) places.take(tenantId);
  return taken;
}
