import { beforeEach, describe, expect, test } from 'vitest';
import { createHandlers } from '../../src/engine/built-in-handlers.ts';
import { unwrap } from '../../src/model/result.ts';
import { WorkflowService } from '../../src/service/workflow-service.ts';
import type { Hit } from './hit.ts';
import { brokenInvariants, promises } from './invariants.ts';
import { type StoredExecution, storeExecution } from './stored-execution.ts';
import { useTestDatabase } from './test-database.ts';
import { type Change, WriterLedger } from './writer-ledger.ts';

const db = useTestDatabase();
const sql = (text: string, values: unknown[] = []) => db.database.pool.query(text, values);
const tenantId = 't';

/** A world in which every promise is kept, and what is known of it outside the tables. */
type World = StoredExecution & {
  readonly workflowId: string;
  readonly inboxId: string;
  readonly webhookId: string;
  readonly change: Change;
  readonly ledger: WriterLedger;
  readonly hits: Hit[];
};
let world: World;

beforeEach(async () => {
  for (const table of [
    'notifications',
    'delivery_attempts',
    'deliveries',
    'executions',
    'events',
    'event_history',
    'workflow_versions',
    'workflows',
  ])
    await sql(`delete from tocsin.${table}`);
  world = await makeWorld();
});

async function makeWorld(): Promise<World> {
  const workflows = new WorkflowService({ database: db.database, handlers: createHandlers() });
  const { id: workflowId } = unwrap(
    await workflows.createWorkflow(tenantId, {
      name: 'orders',
      status: 'active',
      triggers: [{ entityType: 'order', operation: 'insert' }],
      actions: [{ type: 'notification', title: 'order', message: 'order' }],
      recipients: [{ type: 'user', id: 'ann' }],
    }),
  );
  const stored = await storeExecution(db.database.pool, {
    tenantId,
    workflowId,
    event: { entityType: 'order', entityId: '1', operation: 'insert' },
    deliveries: [
      { actionId: 'inbox', actionType: 'notification' },
      { actionId: 'hook', actionType: 'webhook', attempts: 2, reason: 'http_status' },
    ],
  });
  const [inboxId, webhookId] = stored.deliveryIds as [string, string];
  await sql(
    `insert into tocsin.notifications (id, tenant_id, user_id, execution_id, title, message)
     values ($1, $2, 'ann', $3, 'order', 'order')`,
    [inboxId, tenantId, stored.executionId],
  );
  const change = { tenantId, entityType: 'order', entityId: '1', operation: 'insert' };
  const ledger = new WriterLedger();
  ledger.note(change, 'committed', stored.eventId);
  ledger.note({ ...change, entityId: '2' }, 'rolled_back');
  ledger.note({ ...change, entityId: '3' }, 'unknown');
  const hit = { id: webhookId, actionType: 'webhook', subject: 'order 1' } as const;
  return {
    ...stored,
    workflowId,
    inboxId,
    webhookId,
    change,
    ledger,
    hits: [
      { ...hit, isTaken: false },
      { ...hit, isTaken: true },
    ],
  };
}

const broken = () =>
  brokenInvariants(db.database, { ledger: world.ledger, hits: world.hits, isDrained: true, isSteady: true });

/** Puts a copy of a row in, with some of its columns changed. */
async function copyRow(table: string, from: string, changed: Readonly<Record<string, string>>): Promise<void> {
  await sql(
    `insert into tocsin.${table}
     select (jsonb_populate_record(row, $2::jsonb)).* from tocsin.${table} row where id = $1`,
    [from, JSON.stringify(changed)],
  );
}

const nobody = '0197f000-0000-7000-8000-000000000000';

/** For each promise one way to break it. */
const breaches: Readonly<Record<string, () => unknown>> = {
  'every execution is of an event that was matched': () => sql('delete from tocsin.event_history'),
  'an event is either waiting or matched': () =>
    sql(
      `insert into tocsin.events (id, tenant_id, source, entity_type, operation) values ($1, 'other', 'db', 'order', 'insert')`,
      [world.eventId],
    ),
  'one event and one workflow version have one execution': () =>
    copyRow('executions', world.executionId, { id: world.inboxId }),
  'one execution, action and recipient have one delivery': () =>
    copyRow('deliveries', world.webhookId, { id: world.executionId }),
  'every delivery is of an execution': () =>
    copyRow('deliveries', world.webhookId, { id: world.eventId, execution_id: world.eventId }),
  'an inbox notification stands exactly when its delivery is delivered': () => sql('delete from tocsin.notifications'),
  'the counters of an execution say what its deliveries say': () =>
    sql('update tocsin.executions set deliveries_done = 3'),
  'an execution runs exactly while a delivery of it is open': () =>
    sql("update tocsin.executions set status = 'running'"),
  'what is dead, skipped or failed has a reason': () =>
    sql("update tocsin.deliveries set status = 'dead', reason = null where id = $1", [world.webhookId]),
  'nothing is leased long after its lease': () =>
    sql(
      `update tocsin.deliveries
       set status = 'pending', lease_token = gen_random_uuid(), due_at = now() - interval '2 minutes'
       where id = $1`,
      [world.webhookId],
    ),
  'everything of a tenant points at things of the same tenant': () =>
    sql("update tocsin.deliveries set tenant_id = 'other' where id = $1", [world.webhookId]),
  'nothing is open': () => sql("update tocsin.executions set status = 'pending', trace = null"),
  'every attempt that was counted is on record': () => sql('update tocsin.deliveries set attempts = attempts + 1'),
  'every event has an execution of each published version that it fits': () =>
    sql('update tocsin.executions set workflow_version = 2'),
  'a committed change is one event, a rolled-back one none': () => world.ledger.note(world.change, 'committed'),
  'a domain event keeps the id that was answered': () => world.ledger.note(world.change, 'rolled_back', nobody),
  'no hit without a delivery': () =>
    world.hits.push({ id: nobody, actionType: 'webhook', subject: 'another', isTaken: false }),
  'what is delivered was taken by its receiver': () => world.hits.pop(),
  'no delivery has two ids': () =>
    world.hits.push({ id: nobody, actionType: 'webhook', subject: 'order 1', isTaken: false }),
  'a receiver is called once per recorded attempt at most': () => world.hits.push({ ...lastHit(), isTaken: false }),
  'what was taken repeats only where a crash, a timeout or a lost answer is on record': () =>
    world.hits.push(lastHit()),
};

function lastHit(): Hit {
  return world.hits.at(-1) as Hit;
}

describe('brokenInvariants', () => {
  test('finds nothing where every promise is kept', async () => {
    expect(await broken()).toEqual([]);
  });

  test('an unknown outcome may have come to an event or not, a known one may not', async () => {
    const event = `insert into tocsin.events (tenant_id, source, entity_type, entity_id, operation) values ('t', 'db', 'order', $1, 'insert')`;
    await sql(event, ['3']);
    expect(await brokenInvariants(db.database, { ledger: world.ledger })).toEqual([]);
    await sql(event, ['2']);
    expect(await brokenInvariants(db.database, { ledger: world.ledger })).toEqual([
      expect.stringContaining('a rolled-back one none'),
    ]);
    await sql(event, ['never written']);
    expect(await brokenInvariants(db.database, { ledger: world.ledger })).toEqual([
      expect.stringContaining('never written'),
    ]);
  });

  test('a repeat is right when it is on record why', async () => {
    world.hits.push(lastHit());
    await sql('insert into tocsin.delivery_attempts select $1, 3, $2, $3, $4, null, now(), 0', [
      world.webhookId,
      tenantId,
      'retry',
      'lease_lost',
    ]);
    expect(await brokenInvariants(db.database, { hits: world.hits })).toEqual([]);
  });

  test('each promise has a way to break it', () => {
    expect(Object.keys(breaches)).toEqual(promises);
  });

  for (const [promise, breach] of Object.entries(breaches)) {
    test(`names: ${promise}`, async () => {
      await breach();
      expect(await broken()).toEqual(expect.arrayContaining([expect.stringContaining(`${promise}: `)]));
    });
  }
});
