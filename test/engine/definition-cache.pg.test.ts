import { beforeEach, describe, expect, test } from 'vitest';
import { DefinitionCache, type DefinitionCacheOptions } from '../../src/engine/definition-cache.ts';
import { unwrap } from '../../src/model/result.ts';
import type { Runner } from '../../src/store/connection.ts';
import { readDefinitionsVersion } from '../../src/store/load-definitions.ts';
import { newTenant, orderWorkflow } from '../support/orders-workflows.ts';
import { sampleEvent } from '../support/sample-event.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';

const t = useTestTocsin();
let tenant: string;

beforeEach(async () => {
  tenant = await newTenant(t);
});

const newCache = (runner: Runner = t.database.pool, limits: Partial<DefinitionCacheOptions> = {}) =>
  new DefinitionCache(runner, t.tocsin.engine.handlers, { onLacking: () => undefined, ...limits });
const version = () => readDefinitionsVersion(t.database.pool);
const publish = (name: string, ofTenant = tenant) => t.publish(ofTenant, orderWorkflow({ name }));

/** Copies of a workflow, published at one moment as a restore does it. */
async function publishCopies(workflowId: string, count: number): Promise<void> {
  await t.sql(
    `with copied as (
       insert into tocsin.workflows (tenant_id, name, status, definition, published_version, changed_at_version)
       select tenant_id, 'copy ' || to_char(number, 'FM0000'), 'active', definition, 1, changed_at_version
       from tocsin.workflows, generate_series(1, $2::int) number
       where id = $1
       returning id, tenant_id, definition
     )
     insert into tocsin.workflow_versions (workflow_id, version, tenant_id, definition)
     select id, 1, tenant_id, definition from copied`,
    [workflowId, count],
  );
}

describe('DefinitionCache', () => {
  test('loads what a tenant runs when an event of it comes, and of no other', async () => {
    const other = await newTenant(t);
    const [mine, another] = [await publish('mine'), await publish('not mine', other)];
    const cache = newCache();
    await cache.refresh(await version(), [{ tenantId: tenant }]);
    expect(cache.workflowIds()).toEqual([mine]);
    await cache.refresh(await version(), [{ tenantId: tenant }, { tenantId: other }]);
    expect([...cache.workflowIds()].sort()).toEqual([mine, another].sort());
  });

  test('follows what is published and switched off, of tenants that it has loaded', async () => {
    const other = await newTenant(t);
    const first = await publish('first');
    const cache = newCache();
    await cache.refresh(await version(), [{ tenantId: tenant }]);
    const second = await publish('second');
    await publish('not mine', other);
    await cache.refresh(await version(), [{ tenantId: tenant }]);
    expect([...cache.workflowIds()].sort()).toEqual([first, second].sort());
    unwrap(await t.tocsin.workflows.deactivateWorkflow(tenant, first));
    await cache.refresh(await version(), [{ tenantId: tenant }]);
    expect(cache.workflowIds()).toEqual([second]);
  });

  test('has everything after warming up when there is little, new tenants included', async () => {
    const mine = await publish('mine');
    const cache = newCache();
    await cache.warmUp(await version());
    expect(cache.workflowIds()).toContain(mine);
    const ofNewTenant = await publish('new', await newTenant(t));
    await cache.refresh(await version(), []);
    expect(cache.workflowIds()).toContain(ofNewTenant);
  });

  test('asks for no version that runs, and for one that ran before', async () => {
    const workflowId = await publish('first');
    let asked = 0;
    const { pool } = t.database;
    const runner = {
      query: async (...query: Parameters<Runner['query']>) => {
        asked += 1;
        return pool.query(...query);
      },
    } as Runner;
    const cache = newCache(runner);
    await cache.refresh(await version(), [{ tenantId: tenant }]);
    asked = 0;
    expect(await cache.version(workflowId, 1)).toMatchObject({ workflowId, version: 1 });
    expect(asked).toBe(0);
    unwrap(await t.tocsin.workflows.updateWorkflow(tenant, workflowId, { settings: { maxRecipients: 5 } }));
    unwrap(await t.tocsin.workflows.publishWorkflow(tenant, workflowId));
    await cache.refresh(await version(), [{ tenantId: tenant }]);
    asked = 0;
    expect(await cache.version(workflowId, 1)).toMatchObject({ workflowId, version: 1 });
    expect(asked).toBe(1);
  });

  test('misses no workflow of a large tenant that is renamed while it is loaded', async () => {
    const first = await publish('b');
    await publishCopies(first, 600);
    let renamed = '';
    let pages = 0;
    const { pool } = t.database;
    const runner = {
      query: async (...query: Parameters<Runner['query']>) => {
        const result = await pool.query(...query);
        pages += 1;
        if (pages === 1) {
          const { rows } = await t.sql('select id from tocsin.workflows where tenant_id = $1 and name = $2', [
            tenant,
            'copy 0590',
          ]);
          renamed = rows[0]?.id as string;
          unwrap(await t.tocsin.workflows.updateWorkflow(tenant, renamed, { name: 'a' }));
        }
        return result;
      },
    } as Runner;
    const cache = newCache(runner);
    await cache.refresh(await version(), [{ tenantId: tenant }]);
    expect(pages).toBe(3);
    expect(cache.workflowIds()).toHaveLength(601);
    expect(cache.workflowIds()).toContain(renamed);
  });

  test('loads a tenant anew when that failed on the way, without what was switched off meanwhile', async () => {
    const first = await publish('b');
    await publishCopies(first, 600);
    let isBroken = true;
    let pages = 0;
    const { pool } = t.database;
    const runner = {
      query: async (...query: Parameters<Runner['query']>) => {
        pages += 1;
        if (isBroken && pages === 2) throw new Error('connection lost');
        return pool.query(...query);
      },
    } as Runner;
    const cache = newCache(runner);
    await expect(cache.refresh(await version(), [{ tenantId: tenant }])).rejects.toThrow('connection lost');
    unwrap(await t.tocsin.workflows.deactivateWorkflow(tenant, first));
    isBroken = false;
    await cache.refresh(await version(), [{ tenantId: tenant }]);
    expect(cache.workflowIds()).toHaveLength(600);
    expect(cache.workflowIds()).not.toContain(first);
  });

  test.each([1, 2])('loads anew what is forgotten while page %d is read, and matches nothing before', async (page) => {
    await publishCopies(await publish('b'), 600);
    let pages = 0;
    const { pool } = t.database;
    const runner = {
      query: async (...query: Parameters<Runner['query']>) => {
        const result = await pool.query(...query);
        pages += 1;
        if (pages === page) cache.invalidate();
        return result;
      },
    } as Runner;
    const cache = newCache(runner);
    await cache.refresh(await version(), [{ tenantId: tenant }]);
    expect(cache.workflowIds()).toHaveLength(601);
    cache.invalidate();
    expect(() => cache.match(sampleEvent({ tenantId: tenant }))).toThrow('are not loaded');
  });

  test('takes a tenant for loaded only when the changes of the meantime are there too', async () => {
    await publishCopies(await publish('b'), 600);
    let isBroken = true;
    const { pool } = t.database;
    const runner = {
      query: async (...query: Parameters<Runner['query']>) => {
        if (isBroken && JSON.stringify(query).includes('(w.changed_at_version, w.id) >'))
          throw new Error('connection lost');
        return pool.query(...query);
      },
    } as Runner;
    const cache = newCache(runner);
    await expect(cache.refresh(await version(), [{ tenantId: tenant }])).rejects.toThrow('connection lost');
    expect(() => cache.match(sampleEvent({ tenantId: tenant }))).toThrow('are not loaded');
    isBroken = false;
    await cache.refresh(await version(), [{ tenantId: tenant }]);
    expect(cache.workflowIds()).toHaveLength(601);
  });

  describe('with more than it may keep', () => {
    const minuteMs = 60_001;
    let nowMs: number;
    let tenants: readonly [string, string, string];
    beforeEach(async () => {
      nowMs = 0;
      tenants = [tenant, await newTenant(t), await newTenant(t)];
      // What the tests before have published would be loaded at the start.
      await t.sql("update tocsin.workflows set status = 'inactive'");
      for (const tenantId of tenants) await publish('one', tenantId);
    });

    /** Keeps two tenants with a workflow each, and not a third. */
    const smallCache = () => newCache(t.database.pool, { mostKept: 5, now: () => nowMs });
    const refresh = async (cache: DefinitionCache, ...tenantIds: readonly string[]) =>
      cache.refresh(
        await version(),
        tenantIds.map((tenantId) => ({ tenantId })),
      );
    const isLoaded = (cache: DefinitionCache, tenantId: string) => {
      try {
        cache.match(sampleEvent({ tenantId }));
        return true;
      } catch {
        return false;
      }
    };

    test('forgets the tenant without an event for longest, and loads it anew as it is by then', async () => {
      const [first, second, third] = tenants;
      const cache = smallCache();
      await refresh(cache, first);
      await refresh(cache, second);
      nowMs += minuteMs;
      await refresh(cache, first);
      nowMs += minuteMs;
      await refresh(cache, third);
      expect(tenants.map((tenantId) => isLoaded(cache, tenantId))).toEqual([true, false, true]);
      expect(cache.workflowIds()).toHaveLength(2);
      const added = await publish('two', second);
      await refresh(cache, second);
      expect(cache.workflowIds()).toContain(added);
    });

    test('keeps what a batch under way may rely on, and what it needs itself', async () => {
      const cache = smallCache();
      for (const tenantId of tenants) await refresh(cache, tenantId);
      expect(tenants.map((tenantId) => isLoaded(cache, tenantId))).toEqual([true, true, true]);
      nowMs += minuteMs;
      await refresh(cache, ...tenants);
      expect(cache.workflowIds()).toHaveLength(3);
    });

    test('has no longer everything: of a tenant without a workflow it is asked', async () => {
      const cache = smallCache();
      await cache.warmUp(await version());
      const nobody = await newTenant(t);
      expect(isLoaded(cache, nobody)).toBe(true);
      await publish('two');
      await refresh(cache, tenant);
      expect(isLoaded(cache, nobody)).toBe(false);
      await refresh(cache, nobody);
      expect(isLoaded(cache, nobody)).toBe(true);
      nowMs += minuteMs;
      await refresh(cache, tenant);
      await publish('three');
      await refresh(cache, tenant);
      expect([tenant, nobody].map((tenantId) => isLoaded(cache, tenantId))).toEqual([true, false]);
      expect(cache.workflowIds()).toHaveLength(3);
    });
  });
});
