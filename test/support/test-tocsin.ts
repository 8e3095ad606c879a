import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll } from 'vitest';
import { unwrap } from '../../src/model/result.ts';
import type { WorkflowInput } from '../../src/model/workflow.ts';
import { createTocsin, type Tocsin, type TocsinOptions } from '../../src/tocsin.ts';
import { createTestDatabase, type TestDatabase } from './test-database.ts';

export type TestTocsin = TestDatabase & {
  readonly tocsin: Tocsin;
  /** Runs plain SQL, as a host would. */
  readonly sql: (text: string, values?: unknown[]) => Promise<{ rows: Record<string, unknown>[] }>;
  /** Saves and publishes a workflow; answers its id. */
  readonly publish: (tenant: string, workflow: Omit<WorkflowInput, 'status'>) => Promise<string>;
  /** Matches, executes and delivers until nothing is due now. */
  readonly settle: () => Promise<void>;
};

/** Tocsin on a database of the file's own, with a table `orders` that is captured. Read it inside tests only. */
export function useTestTocsin(
  options: Partial<TocsinOptions> | (() => Promise<Partial<TocsinOptions>>) = {},
): TestTocsin {
  let made: { testDatabase: Awaited<ReturnType<typeof createTestDatabase>>; tocsin: Tocsin } | undefined;
  const current = () => {
    if (!made) throw new Error('Tocsin is there only inside tests');
    return made;
  };
  beforeAll(async () => {
    const testDatabase = await createTestDatabase();
    const given = typeof options === 'function' ? await options() : options;
    const tocsin = await createTocsin({
      databaseUrl: testDatabase.url,
      secretsKey: randomBytes(32).toString('base64'),
      webhooks: { allowHosts: ['127.0.0.1'] },
      ...given,
    });
    made = { testDatabase, tocsin };
    await testDatabase.database.pool.query(
      `create table orders (
         id bigint generated always as identity primary key, tenant_id text, status text not null default 'new',
         total numeric(12, 2), customer text, owner_id text, note text)`,
    );
    unwrap(await tocsin.capture.install({ table: 'orders', entityType: 'order', tenantColumn: 'tenant_id' }));
  });
  afterAll(async () => {
    await made?.tocsin.close();
    await made?.testDatabase.drop();
  });
  return {
    get url() {
      return current().testDatabase.url;
    },
    get database() {
      return current().testDatabase.database;
    },
    get tocsin() {
      return current().tocsin;
    },
    sql: (text, values) => current().testDatabase.database.pool.query(text, values),
    publish: async (tenant, workflow) =>
      unwrap(await current().tocsin.workflows.createWorkflow(tenant, { ...workflow, status: 'active' })).id,
    settle: async () => {
      while (await current().tocsin.listener.runOnce());
    },
  };
}
