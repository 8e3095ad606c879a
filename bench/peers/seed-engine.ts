import pg from 'pg';
import { type EventRange, type JobQueue, sizeOf } from './job-queue.ts';

/**
 * The workflow module that Tocsin started from, as its documentation describes it: the event travels in the NOTIFY; a listener
 * takes one after another, reads the definition of every workflow of the table anew (workflow, triggers, conditions,
 * actions, recipients: five queries each), evaluates, and inserts the notification and the log one row at a time.
 */
export async function installSeedEngine(connectionString: string, workflowCount: number): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  await client.query(schema);
  await client.query(
    `insert into seed.workflow (id, name, status) select g, 'Workflow ' || g, 'active' from generate_series(1, $1::int) g`,
    [workflowCount],
  );
  await client.query(
    `insert into seed.trigger (workflow_id, entity_type, operation) select id, 'order', 'insert' from seed.workflow`,
  );
  await client.query(
    `insert into seed.condition (workflow_id, type, config)
     select id, 'field_value', jsonb_build_object('field', 'total', 'operator', 'gt', 'value', case id when 1 then 500 else 50000 end)
     from seed.workflow`,
  );
  await client.query(
    `insert into seed.action (workflow_id, type, config)
     select id, 'notification', '{"title": "Order {{ payload.id }}", "message": "{{ payload.customer.name }} ordered for {{ payload.total }} {{ payload.currency }}"}'
     from seed.workflow`,
  );
  await client.query(
    `insert into seed.recipient (workflow_id, type, recipient_id) select id, 'role', 'sales' from seed.workflow`,
  );
  await client.query(`insert into seed.role_member (role, user_id) values ('sales', 'ann')`);
  await client.query('analyze');
  await client.end();
}

/** Opens it. Nothing is put in beforehand: its time runs from the commit of the NOTIFYs to the last event being handled. */
export async function openSeedEngine(connectionString: string): Promise<JobQueue> {
  const [listener, queries, writer] = await Promise.all(
    Array.from({ length: 3 }, async () => {
      const client = new pg.Client({ connectionString });
      await client.connect();
      return client;
    }),
  );
  if (!listener || !queries || !writer) throw new Error('three connections were asked for');
  await listener.query('listen workflow_events');
  return {
    fill: async () => undefined,
    run: (events) => handleAll({ listener, queries, writer }, events),
    close: async () => {
      await Promise.all([listener, queries, writer].map((client) => client.end()));
    },
  };
}

async function handleAll(
  { listener, queries, writer }: Readonly<Record<'listener' | 'queries' | 'writer', pg.Client>>,
  events: EventRange,
): Promise<number> {
  const allHandled = Promise.withResolvers<void>();
  let left = sizeOf(events);
  let last = Promise.resolve();
  listener.removeAllListeners('notification');
  listener.on('notification', ({ payload = '{}' }) => {
    last = last
      .then(() => handle(queries, JSON.parse(payload) as SeedEvent))
      .then(() => {
        left -= 1;
        if (left === 0) allHandled.resolve();
      })
      .catch(allHandled.reject);
  });
  await writer.query(
    `select pg_notify('workflow_events', json_build_object(
       'entity_type', 'order', 'operation', 'insert', 'event_id', id, 'payload', payload)::text)
     from bench.order_events
     where position > $1
       and position <= $2
     order by position`,
    [events.after, events.upTo],
  );
  const startedAt = performance.now();
  await allHandled.promise;
  return performance.now() - startedAt;
}

type SeedEvent = {
  readonly entity_type: string;
  readonly operation: string;
  readonly event_id: string;
  readonly payload: unknown;
};

async function handle(client: pg.Client, event: SeedEvent): Promise<void> {
  const { rows: candidates } = await client.query<{ id: number }>(
    `select distinct w.id
     from seed.workflow w join seed.trigger t on t.workflow_id = w.id
     where w.status = 'active' and t.entity_type = $1 and t.operation = $2 and t.is_active`,
    [event.entity_type, event.operation],
  );
  for (const { id } of candidates) await runWorkflow(client, { id, event });
}

async function runWorkflow(client: pg.Client, { id, event }: { id: number; event: SeedEvent }): Promise<void> {
  const read = async (table: string, column: string) =>
    (await client.query<Record<string, unknown>>(`select * from seed.${table} where ${column} = $1`, [id])).rows;
  const [workflow] = await read('workflow', 'id');
  const triggers = await read('trigger', 'workflow_id');
  const conditions = await read('condition', 'workflow_id');
  const actions = await read('action', 'workflow_id');
  const recipients = await read('recipient', 'workflow_id');
  if (!workflow || triggers.length === 0) return;
  if (!conditions.every(({ config }) => isTrue(config as ConditionConfig, event.payload))) return;
  for (const { config } of actions) {
    const { title, message } = config as { title: string; message: string };
    for (const { recipient_id } of recipients) {
      const { rows: users } = await client.query<{ user_id: string }>(
        'select user_id from seed.role_member where role = $1',
        [recipient_id],
      );
      for (const { user_id } of users) {
        await client.query(
          'insert into seed.notification (user_id, event_id, title, message) values ($1, $2, $3, $4)',
          [user_id, event.event_id, fill(title, event), fill(message, event)],
        );
      }
    }
  }
  await client.query(
    `insert into seed.execution_log (workflow_id, event_id, status, context) values ($1, $2, 'success', $3)`,
    [id, event.event_id, JSON.stringify(event)],
  );
}

type ConditionConfig = { readonly field: string; readonly operator: string; readonly value: number };

function isTrue({ field, operator, value }: ConditionConfig, payload: unknown): boolean {
  const actual = valueAt(payload, field) as number;
  switch (operator) {
    case 'eq':
      return actual === value;
    case 'gt':
      return actual > value;
    default:
      return false;
  }
}

function valueAt(from: unknown, path: string): unknown {
  let value = from;
  for (const key of path.split('.')) value = (value as Record<string, unknown> | null | undefined)?.[key];
  return value;
}

function fill(template: string, event: SeedEvent): string {
  return template.replaceAll(/\{\{ ([\w.]+) \}\}/g, (_, path: string) => String(valueAt(event, path)));
}

const schema = `
  create schema seed;
  create table seed.workflow (id int primary key, name text not null, status text not null);
  create table seed.trigger (
    id int generated always as identity primary key, workflow_id int not null references seed.workflow,
    entity_type text not null, operation text not null, is_active boolean not null default true);
  create index on seed.trigger (entity_type, operation);
  create index on seed.trigger (workflow_id);
  create table seed.condition (
    id int generated always as identity primary key, workflow_id int not null references seed.workflow,
    type text not null, config jsonb not null);
  create index on seed.condition (workflow_id);
  create table seed.action (
    id int generated always as identity primary key, workflow_id int not null references seed.workflow,
    type text not null, config jsonb not null);
  create index on seed.action (workflow_id);
  create table seed.recipient (
    id int generated always as identity primary key, workflow_id int not null references seed.workflow,
    type text not null, recipient_id text not null);
  create index on seed.recipient (workflow_id);
  create table seed.role_member (role text not null, user_id text not null, primary key (role, user_id));
  create table seed.notification (
    id bigint generated always as identity primary key, user_id text not null, event_id uuid not null,
    title text not null, message text not null, created_at timestamptz not null default now());
  create table seed.execution_log (
    id bigint generated always as identity primary key, workflow_id int not null, event_id uuid not null,
    status text not null, context jsonb not null, executed_at timestamptz not null default now());`;
