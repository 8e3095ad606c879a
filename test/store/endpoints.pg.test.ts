import { describe, expect, test } from 'vitest';
import {
  claimEndpointTrial,
  closeEndpoint,
  disableEndpoint,
  forgetEndpointFailures,
  forgetOldEndpoints,
  readEndpoints,
  recordEndpointFailure,
  returnEndpointTrial,
} from '../../src/store/endpoints.ts';
import { useTestDatabase } from '../support/test-database.ts';

const db = useTestDatabase();
const policy = { pauseAfterFailures: 3, pauseMs: 10_000, maxPauseMs: 60_000 };
let made = 0;

function newPlace() {
  return { tenantId: `t${++made}`, origin: 'https://hooks.example' };
}

type Place = ReturnType<typeof newPlace>;

function fail(place: Place, more: { isTrial?: boolean; askedMs?: number } = {}) {
  const { isTrial = false, askedMs = null } = more;
  return recordEndpointFailure(db.database.pool, { ...place, reason: 'timeout', isTrial, askedMs, policy });
}

async function failTimes(place: Place, times: number) {
  for (let n = 1; n < times; n++) await fail(place);
  return fail(place);
}

async function endPause({ tenantId }: Place): Promise<void> {
  await db.database.pool.query('update tocsin.endpoints set retry_at = now() where tenant_id = $1', [tenantId]);
}

describe('recordEndpointFailure', () => {
  test('pauses an endpoint with the failure that is one too many, and not before', async () => {
    const place = newPlace();
    expect(await failTimes(place, 2)).toMatchObject({ state: 'closed', failures: 2, retryInMs: null });
    const third = await fail(place);
    expect(third).toMatchObject({ state: 'open', failures: 3 });
    expect(third?.retryInMs).toBeGreaterThan(7_000);
    expect(third?.retryInMs).toBeLessThanOrEqual(10_000);
  });

  test('counts each of failures that come in the same moment', async () => {
    const place = newPlace();
    await Promise.all(Array.from({ length: 8 }, () => fail(place)));
    expect(await readEndpoints(db.database.pool, place.tenantId)).toMatchObject([{ state: 'open', failures: 3 }]);
  });

  test('is not changed by requests that were under way when it was paused', async () => {
    const place = newPlace();
    const paused = await failTimes(place, 3);
    const late = await fail(place);
    expect(late).toMatchObject({ state: 'open', failures: 3 });
    expect(late?.retryInMs).toBeLessThanOrEqual(paused?.retryInMs ?? 0);
  });

  test('pauses for twice as long with each trial that fails, up to the longest', async () => {
    const place = newPlace();
    await failTimes(place, 3);
    const pauses: number[] = [];
    for (let n = 0; n < 4; n++) {
      await endPause(place);
      expect(await claimEndpointTrial(db.database.pool, place, 1_000)).toBe(true);
      pauses.push((await fail(place, { isTrial: true }))?.retryInMs ?? 0);
    }
    // A fifth of each pause is random.
    for (const [n, longest] of [20_000, 40_000, 60_000, 60_000].entries()) {
      expect(pauses[n]).toBeGreaterThan(longest * 0.75);
      expect(pauses[n]).toBeLessThanOrEqual(longest);
    }
  });

  test('pauses at once for as long as the endpoint asks, and keeps the longer of two wishes', async () => {
    const place = newPlace();
    const asked = await fail(place, { askedMs: 3_600_000 });
    expect(asked).toMatchObject({ state: 'open', failures: 1 });
    expect(asked?.retryInMs).toBeGreaterThan(3_590_000);
    expect((await fail(place, { askedMs: 1_000 }))?.retryInMs).toBeGreaterThan(3_590_000);
    expect((await fail(place, { askedMs: 7_200_000 }))?.retryInMs).toBeGreaterThan(7_190_000);
  });

  test('begins to count anew when the last failure is long ago', async () => {
    const place = newPlace();
    await failTimes(place, 2);
    await db.database.pool.query(
      "update tocsin.endpoints set updated_at = now() - interval '2 hours' where tenant_id = $1",
      [place.tenantId],
    );
    expect(await fail(place)).toMatchObject({ state: 'closed', failures: 1 });
  });

  test('leaves an endpoint that is gone as it is', async () => {
    const place = newPlace();
    await disableEndpoint(db.database.pool, { ...place, reason: 'http_status' });
    expect(await fail(place, { askedMs: 1_000 })).toBeNull();
    expect(await readEndpoints(db.database.pool, place.tenantId)).toMatchObject([{ state: 'open', retryInMs: null }]);
  });
});

describe('forgetOldEndpoints', () => {
  test('forgets failures of more than a day and pauses of more than 30 days ago, and never that one is gone', async () => {
    const places = Array.from({ length: 5 }, newPlace);
    const rows: [state: string, updatedAt: string, retryAt: string | null][] = [
      ['closed', '2 days', null],
      ['closed', '2 hours', null],
      ['open', '31 days', '31 days'],
      ['open', '2 days', '2 days'],
      ['open', '99 days', null],
    ];
    for (const [n, [state, updatedAt, retryAt]] of rows.entries()) {
      await db.database.pool.query(
        `insert into tocsin.endpoints (tenant_id, origin, state, updated_at, retry_at)
         values ($1, 'https://a.example', $2, now() - $3::interval, now() - $4::interval)`,
        [places[n]?.tenantId, state, updatedAt, retryAt],
      );
    }
    await forgetOldEndpoints(db.database.pool);
    const kept = await Promise.all(places.map(({ tenantId }) => readEndpoints(db.database.pool, tenantId)));
    expect(kept.map((found) => found.length)).toEqual([0, 1, 0, 1, 1]);
  });
});

describe('claimEndpointTrial', () => {
  test('gives the trial to one of many who ask at once, and to nobody before the pause is over', async () => {
    const place = newPlace();
    await failTimes(place, 3);
    expect(await claimEndpointTrial(db.database.pool, place, 60_000)).toBe(false);
    await endPause(place);
    const asked = await Promise.all(
      Array.from({ length: 10 }, () => claimEndpointTrial(db.database.pool, place, 60_000)),
    );
    expect(asked.filter(Boolean)).toHaveLength(1);
  });

  test('gives it to the next when the one who had it is gone, or gives it back', async () => {
    const place = newPlace();
    await failTimes(place, 3);
    await endPause(place);
    expect(await claimEndpointTrial(db.database.pool, place, 0)).toBe(true);
    expect(await claimEndpointTrial(db.database.pool, place, 60_000)).toBe(true);
    expect(await claimEndpointTrial(db.database.pool, place, 60_000)).toBe(false);
    await returnEndpointTrial(db.database.pool, place);
    expect(await claimEndpointTrial(db.database.pool, place, 60_000)).toBe(true);
  });

  test('never tries an endpoint that is gone', async () => {
    const place = newPlace();
    await disableEndpoint(db.database.pool, { ...place, reason: 'http_status' });
    expect(await claimEndpointTrial(db.database.pool, place, 60_000)).toBe(false);
  });
});

describe('closeEndpoint', () => {
  test('ends a pause only by its trial; other successes forget failures only of one that is not paused', async () => {
    const place = newPlace();
    await failTimes(place, 3);
    await forgetEndpointFailures(db.database.pool, place);
    expect(await closeEndpoint(db.database.pool, place)).toBe(false);
    await endPause(place);
    await claimEndpointTrial(db.database.pool, place, 60_000);
    expect(await closeEndpoint(db.database.pool, place)).toBe(true);
    expect(await readEndpoints(db.database.pool, place.tenantId)).toEqual([]);
    await failTimes(place, 2);
    await forgetEndpointFailures(db.database.pool, place);
    expect(await readEndpoints(db.database.pool, place.tenantId)).toEqual([]);
  });

  test('leaves the same origin of another tenant alone', async () => {
    const [mine, theirs] = [newPlace(), newPlace()];
    await failTimes(mine, 3);
    expect(await fail(theirs)).toMatchObject({ state: 'closed', failures: 1 });
    await forgetEndpointFailures(db.database.pool, theirs);
    expect(await readEndpoints(db.database.pool, mine.tenantId)).toHaveLength(1);
  });
});
