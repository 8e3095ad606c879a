import { describe, expect, test } from 'vitest';
import type { Runner } from '../../src/store/connection.ts';
import { withFixedPlans } from '../../src/store/fixed-plans.ts';
import { claimDeliveries } from '../../src/store/pending-deliveries.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';

const t = useTestTocsin();

/** The text of the statement that claims. */
async function statement(): Promise<string> {
  let text = '';
  const listens = {
    query: async (query: { text: string }) => {
      text = query.text;
      return { rows: [] };
    },
  };
  await claimDeliveries(listens as unknown as Runner, { limit: 1, leaseMs: 1, actionTypes: [], queues: null });
  return text;
}

describe('claimDeliveries', () => {
  test('asks with a few looks into indexes whether it is the turn of one, however many stand in line with it', async () => {
    await t.sql(
      `with running as (
         insert into tocsin.executions (id, tenant_id, workflow_id, workflow_version, event_id, status, ordering_key, ordering_position)
         select tocsin.new_id(), 'acme', gen_random_uuid(), 1, gen_random_uuid(), 'running', 'order', n
         from generate_series(1, 5000) n
         returning id, ordering_position
       )
       insert into tocsin.deliveries (id, tenant_id, execution_id, action_id, action_type, ordering_key, ordering_position, status)
       select tocsin.new_id(), 'acme', id, 'a', 'webhook', 'ann', ordering_position, 'pending'
       from running`,
    );
    await t.sql('analyze tocsin.deliveries');
    await t.sql('analyze tocsin.executions');
    const claim = await statement();
    const plan = await withFixedPlans(t.database, async (runner) => {
      await runner.query(`prepare claim as ${claim}`);
      const explained = await runner.query(`explain (costs off) execute claim (1000, array['webhook'], null, 0, 50)`);
      await runner.query('deallocate claim');
      return explained.rows.map((row) => String(Object.values(row as object)[0])).join('\n');
    });
    expect(plan).toMatch(/Index Cond:.*ordering_position/);
    expect(plan).not.toMatch(/Bitmap|Seq Scan/);
    // By the line, not by the position alone: that reads what all lines have.
    expect(plan).not.toMatch(/Index Cond: \(ordering_position/);
  });
});
