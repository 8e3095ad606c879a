import { once } from 'node:events';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { Deliverer, type DelivererOptions } from '../../src/runtime/deliverer.ts';
import type { ClaimedDelivery } from '../../src/store/pending-deliveries.ts';
import type { AttemptRecord } from '../../src/store/record-attempts.ts';

type Attempt = (claimed: ClaimedDelivery, signal: AbortSignal) => Promise<AttemptRecord>;

/** A queue in memory that notes what the deliverer asks of it. */
function queue(ids: readonly string[], attempt: Attempt) {
  const waiting = [...ids];
  const calls = { recorded: [] as AttemptRecord[], renewed: 0, givenBack: [] as string[], failRecord: 0 };
  const work: DelivererOptions['work'] = {
    claim: async (limit) => waiting.splice(0, limit).map(claimed),
    attempt: async (batch, signal) => batch.map((delivery) => () => attempt(delivery, signal)),
    record: async (records) => {
      if (calls.failRecord-- > 0) throw new Error('the database is away');
      calls.recorded.push(...records);
    },
    renew: async (held) => {
      calls.renewed += held.length;
    },
    giveBack: async (held) => {
      calls.givenBack.push(...held.map(({ id }) => id));
    },
  };
  return { work, calls };
}

function claimed(id: string): ClaimedDelivery {
  return {
    id,
    tenantId: 't',
    executionId: 'x',
    actionId: 'a',
    actionType: 'webhook',
    recipientId: '',
    recipient: null,
    attempts: 1,
    attemptsBase: 0,
    leaseToken: `token ${id}`,
    takenOver: false,
    isOrdered: false,
    nowMs: 0,
  };
}

function record(delivery: ClaimedDelivery, outcome: 'delivered' | 'retry'): AttemptRecord {
  return {
    deliveryId: delivery.id,
    tenantId: delivery.tenantId,
    executionId: delivery.executionId,
    actionType: delivery.actionType,
    leaseToken: delivery.leaseToken,
    attempt: delivery.attempts,
    outcome,
    reason: outcome === 'retry' ? 'timeout' : null,
    detail: null,
    startedAtMs: 0,
    durationMs: 1,
    next: outcome === 'retry' ? 'pending' : 'delivered',
    delayMs: outcome === 'retry' ? 5_000 : 0,
    notification: null,
    isOrdered: false,
    bounces: [],
  };
}

describe('Deliverer', () => {
  test('never has more attempts under way than its concurrency, and makes all of them', async () => {
    const ids = Array.from({ length: 20 }, (_, index) => `d${index}`);
    let running = 0;
    let most = 0;
    const { work, calls } = queue(ids, async (delivery) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      return record(delivery, 'delivered');
    });
    const deliverer = new Deliverer({ work, concurrency: 4, pollMs: 1 });
    deliverer.start();
    while (calls.recorded.length < 20) await once(deliverer, 'recorded');
    await deliverer.stop();
    expect(most).toBe(4);
    expect(calls.recorded.map(({ deliveryId }) => deliveryId).toSorted()).toEqual(ids.toSorted());
  });

  test('what is leased for it while it claims begins at once, and what it claimed waits for places', async () => {
    const claiming = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    let running = 0;
    let most = 0;
    const { work, calls } = queue(['d1', 'd2', 'd3', 'd4'], async (delivery) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      return record(delivery, 'delivered');
    });
    let claims = 0;
    const slow: DelivererOptions['work'] = {
      ...work,
      claim: async (limit, held) => {
        claims += 1;
        if (claims === 1) return [];
        asked.resolve();
        await claiming.promise;
        return work.claim(limit, held);
      },
    };
    const deliverer = new Deliverer({ work: slow, concurrency: 4, pollMs: 1 });
    deliverer.start();
    await asked.promise;
    expect(deliverer.placesForPlanned).toBe(0);
    expect(deliverer.placesBeside).toBe(2);
    await deliverer.take([claimed('p1'), claimed('p2')]);
    claiming.resolve();
    while (calls.recorded.length < 6) await once(deliverer, 'recorded');
    await deliverer.stop();
    expect(most).toBe(4);
    expect(calls.givenBack).toEqual([]);
    expect(deliverer.placesBeside).toBe(0);
  });

  test('stops also when what it took cannot be looked up any more', async () => {
    const silent = Promise.withResolvers<never>();
    const { work, calls } = queue([], async (delivery) => record(delivery, 'delivered'));
    const attempt = vi.fn(() => silent.promise);
    const deliverer = new Deliverer({ work: { ...work, attempt }, pollMs: 60_000, graceMs: 1 });
    deliverer.on('failed', () => undefined);
    deliverer.start();
    // The first claim is over: there are places.
    while (deliverer.placesForPlanned === 0) await new Promise((resolve) => setImmediate(resolve));
    const taken = deliverer.take([claimed('p1')]);
    expect(attempt).toHaveBeenCalledOnce();
    const stopped = deliverer.stop();
    // After the grace.
    setTimeout(() => silent.reject(new Error('the database is away')), 50);
    await Promise.all([taken, stopped]);
    expect(calls.givenBack).toEqual(['p1']);
  });

  test('an outcome that could not be recorded is kept and recorded later', async () => {
    const { work, calls } = queue(['d1'], async (delivery) => record(delivery, 'delivered'));
    calls.failRecord = 2;
    const deliverer = new Deliverer({ work, pollMs: 1 });
    const failed: string[] = [];
    deliverer.on('failed', (error) => failed.push(error.message));
    deliverer.start();
    await once(deliverer, 'recorded');
    await deliverer.stop();
    expect(failed).toEqual(['the database is away', 'the database is away']);
    expect(calls.recorded).toHaveLength(1);
  });

  test('renews the leases of attempts that take long', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { work, calls } = queue(['d1'], async (delivery) => {
      await promise;
      return record(delivery, 'delivered');
    });
    const deliverer = new Deliverer({
      work: {
        ...work,
        renew: async (held) => {
          await work.renew(held);
          if (calls.renewed === 3) resolve();
        },
      },
      leaseMs: 6,
      pollMs: 1,
    });
    deliverer.start();
    await once(deliverer, 'recorded');
    await deliverer.stop();
    expect(calls.renewed).toBeGreaterThanOrEqual(3);
  });

  test('an attempt that the stop cuts short is due again at once, with the stop as its reason', async () => {
    const started = Promise.withResolvers<void>();
    const { work, calls } = queue(['d1'], async (delivery, signal) => {
      started.resolve();
      if (!signal.aborted) await once(signal, 'abort');
      return record(delivery, 'retry');
    });
    const deliverer = new Deliverer({ work, graceMs: 5, pollMs: 1 });
    deliverer.start();
    await started.promise;
    await deliverer.stop();
    expect(calls.recorded).toMatchObject([{ reason: 'worker_stopped', next: 'pending', delayMs: 0 }]);
  });

  test('deliveries whose attempts could not be started are given back', async () => {
    const { work, calls } = queue(['d1', 'd2'], async (delivery) => record(delivery, 'delivered'));
    let isFirst = true;
    const deliverer = new Deliverer({
      work: {
        ...work,
        attempt: async (batch, signal) => {
          if (isFirst && batch.length > 0) {
            isFirst = false;
            throw new Error('the event cannot be read now');
          }
          return work.attempt(batch, signal);
        },
      },
      pollMs: 1,
    });
    const failed = once(deliverer, 'failed');
    deliverer.start();
    await failed;
    await deliverer.stop();
    expect(calls.givenBack).toEqual(['d1', 'd2']);
  });

  test('a wake-up that comes with the stop does not keep it from waiting', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { work, calls } = queue(['d1'], async (delivery) => {
      deliverer.wake();
      void deliverer.stop();
      setTimeout(resolve, 5);
      await promise;
      return record(delivery, 'delivered');
    });
    const deliverer = new Deliverer({ work, pollMs: 1 });
    deliverer.start();
    await once(deliverer, 'recorded');
    await deliverer.stop();
    expect(calls.recorded).toHaveLength(1);
  });

  test('an outcome that cannot be stored harms no other, and is let go after a while', async () => {
    // The waits between the tries are longer than a test should be.
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    onTestFinished(() => {
      vi.useRealTimers();
    });
    const { work, calls } = queue(['good', 'bad', 'better'], async (delivery) => record(delivery, 'delivered'));
    const deliverer = new Deliverer({
      work: {
        ...work,
        record: async (records) => {
          if (records.some(({ deliveryId }) => deliveryId === 'bad')) throw new Error('cannot be stored');
          await work.record(records);
        },
      },
      pollMs: 1,
    });
    const failed: Error[] = [];
    deliverer.on('failed', (error) => failed.push(error));
    deliverer.start();
    while (calls.recorded.length < 2) await once(deliverer, 'recorded');
    expect(calls.recorded.map(({ deliveryId }) => deliveryId).toSorted()).toEqual(['better', 'good']);
    const stopped = deliverer.stop();
    await vi.advanceTimersByTimeAsync(60_000);
    await stopped;
    expect(failed.length).toBeGreaterThan(8);
  });

  test('attempts that take long keep no free place from others', async () => {
    const long = Promise.withResolvers<void>();
    const { work, calls } = queue(['long 1', 'long 2', 'long 3', 'short'], async (delivery) => {
      if (delivery.id.startsWith('long')) await long.promise;
      return record(delivery, 'delivered');
    });
    let most = 3;
    const claim: typeof work.claim = async (limit, held) => work.claim(Math.min(limit, most), held);
    const deliverer = new Deliverer({ work: { ...work, claim }, concurrency: 4, pollMs: 60_000 });
    deliverer.start();
    await new Promise((resolve) => setImmediate(resolve));
    most = 4;
    deliverer.wake();
    while (calls.recorded.length < 1) await once(deliverer, 'recorded');
    expect(calls.recorded).toMatchObject([{ deliveryId: 'short' }]);
    long.resolve();
    await deliverer.stop();
    expect(calls.recorded).toHaveLength(4);
  });

  test('records outcomes that come one by one together, half as many as there are places', async () => {
    const ids = Array.from({ length: 8 }, (_, index) => `d${index}`);
    const turns = new Map(ids.map((id) => [id, Promise.withResolvers<void>()]));
    const { work, calls } = queue(ids, async (delivery) => {
      await turns.get(delivery.id)?.promise;
      return record(delivery, 'delivered');
    });
    const sizes: number[] = [];
    const deliverer = new Deliverer({ work, concurrency: 8, pollMs: 60_000 });
    deliverer.on('recorded', (records) => sizes.push(records.length));
    deliverer.start();
    while (calls.recorded.length < 8) {
      await new Promise((resolve) => setImmediate(resolve));
      for (const id of ids.slice(0, sizes.length === 0 ? 4 : 8)) turns.get(id)?.resolve();
    }
    await deliverer.stop();
    expect(sizes).toEqual([4, 4]);
  });

  test('leases ahead what attempts that end quickly come to, and gives back what has not begun when it stops', async () => {
    const { deliverer, calls, begun, leased, isAhead, end } = leasingAhead();
    deliverer.start();
    await isAhead;
    const stopped = deliverer.stop();
    while (calls.givenBack.length === 0) await new Promise((resolve) => setImmediate(resolve));
    end();
    await stopped;
    expect([...begun, ...calls.givenBack]).toEqual(leased);
    expect(calls.recorded.map(({ deliveryId }) => deliveryId).toSorted()).toEqual(begun.toSorted());
  });

  test('gives back what was leased ahead and does not get its turn, while it goes on', async () => {
    const { deliverer, calls, begun, leased, isAhead, end } = leasingAhead();
    deliverer.start();
    await isAhead;
    while (calls.givenBack.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    expect([...begun, ...calls.givenBack]).toEqual(leased);
    end();
    await deliverer.stop();
  });

  test('has no more than half of its attempts under way for one tenant while others are there', async () => {
    const stuck = Promise.withResolvers<void>();
    const begun: string[] = [];
    const { work, calls } = queue(['a1', 'a2', 'a3', 'b1', 'b2'], async (delivery) => {
      begun.push(delivery.id);
      await stuck.promise;
      return record(delivery, 'delivered');
    });
    const claim: typeof work.claim = async (_limit, held) => {
      const all = await work.claim(5, held);
      return all.map((delivery) => ({ ...delivery, tenantId: delivery.id.slice(0, 1) }));
    };
    const deliverer = new Deliverer({ work: { ...work, claim }, concurrency: 4, pollMs: 10 });
    deliverer.start();
    while (begun.length < 4) await new Promise((resolve) => setImmediate(resolve));
    expect(begun).toEqual(['a1', 'a2', 'b1', 'b2']);
    stuck.resolve();
    while (calls.recorded.length < 5) await once(deliverer, 'recorded');
    await deliverer.stop();
  });

  test('takes what was leased for it without a claim, as long as nothing else waits and half of its places are free', async () => {
    const end = Promise.withResolvers<void>();
    const { work, calls } = queue([], async (delivery) => {
      await end.promise;
      return record(delivery, 'delivered');
    });
    const looked = Promise.withResolvers<void>();
    const claim: typeof work.claim = async () => {
      setImmediate(looked.resolve);
      return [];
    };
    const deliverer = new Deliverer({ work: { ...work, claim }, concurrency: 8, pollMs: 60_000 });
    expect(deliverer.placesForPlanned).toBe(0);
    deliverer.start();
    expect(deliverer.placesForPlanned).toBe(0);
    await looked.promise;
    expect(deliverer.placesForPlanned).toBe(4);
    await deliverer.take(['d1', 'd2', 'd3'].map(claimed));
    expect(deliverer.placesForPlanned).toBe(1);
    await deliverer.take(['d4', 'd5', 'd6'].map(claimed));
    expect(deliverer.placesForPlanned).toBe(0);
    await deliverer.take(['d7', 'd8', 'd9'].map(claimed));
    expect(calls.givenBack).toEqual(['d7', 'd8', 'd9']);
    end.resolve();
    await deliverer.stop();
    expect(calls.recorded).toHaveLength(6);
    expect(deliverer.placesForPlanned).toBe(0);
    await deliverer.take([claimed('d10')]);
    expect(calls.givenBack).toEqual(['d7', 'd8', 'd9', 'd10']);
  });

  test('nothing is leased for it without a claim while others wait', async () => {
    const { work, calls } = queue(['d1', 'd2', 'd3'], async (delivery) => record(delivery, 'delivered'));
    const places: number[] = [];
    const recording: typeof work.record = async (records) => {
      places.push(deliverer.placesForPlanned);
      await work.record(records);
    };
    const deliverer = new Deliverer({ work: { ...work, record: recording }, concurrency: 1, pollMs: 60_000 });
    deliverer.start();
    while (calls.recorded.length < 3) await once(deliverer, 'recorded');
    await deliverer.stop();
    expect(places.slice(0, 2)).toEqual([0, 0]);
  });

  test('refuses options that are none', () => {
    const { work } = queue([], async (delivery) => record(delivery, 'delivered'));
    expect(() => new Deliverer({ work, concurrency: 0 })).toThrow(/concurrency must be at least 1/);
  });
});

/** Four attempts at once, which end at once until more is leased than begins; then none ends before `end`. */
function leasingAhead() {
  const ids = Array.from({ length: 1_000 }, (_, index) => `d${index}`);
  const ahead = Promise.withResolvers<void>();
  const stuck = Promise.withResolvers<void>();
  const begun: string[] = [];
  const leased: string[] = [];
  let isStuck = false;
  const { work, calls } = queue(ids, async (delivery) => {
    begun.push(delivery.id);
    isStuck ||= leased.length >= begun.length + 4;
    if (isStuck) {
      ahead.resolve();
      await stuck.promise;
    }
    return record(delivery, 'delivered');
  });
  const claim: typeof work.claim = async (limit, held) => {
    const claimed = await work.claim(limit, held);
    leased.push(...claimed.map(({ id }) => id));
    return claimed;
  };
  const deliverer = new Deliverer({ work: { ...work, claim }, concurrency: 4, pollMs: 10 });
  return { deliverer, calls, begun, leased, isAhead: ahead.promise, end: stuck.resolve };
}
