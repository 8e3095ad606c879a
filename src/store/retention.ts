import { eq, isNotNull, type SQL, sql } from 'drizzle-orm';
import { sqlState } from './bounded-read.ts';
import type { Database, Orm } from './database.ts';
import { idRange } from './id-range.ts';
import { tenants } from './schema.ts';

/** Tables that are partitioned by the day in the id of their rows. */
export const dailyTables = ['delivery_attempts', 'deliveries', 'executions', 'event_history'] as const;
export type DailyTable = (typeof dailyTables)[number];

/** The partition of one UTC day. */
export type DayPartition = {
  readonly table: DailyTable;
  /** Without the schema, e.g. `executions_20261101`. */
  readonly name: string;
  /** The first moment of the day. */
  readonly day: Date;
};

/** Tenants by name, or everybody but them. */
export type TenantGroup = { readonly only: readonly string[] } | { readonly except: readonly string[] };

/** Rows that are too old: of these tenants, in a daily table or one partition of it, by their ids and by when they ended. */
export type PruneScope = {
  readonly partition: string;
  readonly tenants: TenantGroup;
  /** Ids of this moment on; null: from the first. */
  readonly from: Date | null;
  /** Ids and ends before this moment. */
  readonly before: Date;
};

/** PostgreSQL's code for a lock that was not to be had in time. */
const lockNotAvailable = '55P03';

/** Writes how many days a tenant's executions are kept; null: the default of the deployment. */
export async function writeRetention(orm: Orm, tenantId: string, retentionDays: number | null): Promise<void> {
  // Only these columns: a tenant is not granted the others.
  await orm.execute(sql`
    insert into tocsin.tenants (tenant_id, retention_days)
    values (${tenantId}, ${retentionDays})
    on conflict (tenant_id) do update
    set retention_days = excluded.retention_days, updated_at = now()`);
}

/** How many days a tenant asked for; null when it has the default. */
export async function readRetention(orm: Orm, tenantId: string): Promise<number | null> {
  const rows = await orm.select({ days: tenants.retentionDays }).from(tenants).where(eq(tenants.tenantId, tenantId));
  return rows[0]?.days ?? null;
}

/** Tenants with a number of days of their own. */
export async function listRetentions(orm: Orm): Promise<{ tenantId: string; days: number }[]> {
  return orm
    .select({ tenantId: tenants.tenantId, days: sql<number>`${tenants.retentionDays}` })
    .from(tenants)
    .where(isNotNull(tenants.retentionDays));
}

/** Partitions of whole days, the oldest first. */
export async function listDayPartitions(orm: Orm): Promise<DayPartition[]> {
  const result = await orm.execute<{ table: DailyTable; name: string }>(sql`
    select parent.relname as table, child.relname as name
    from pg_inherits i
    join pg_class parent on parent.oid = i.inhparent
    join pg_class child on child.oid = i.inhrelid
    where parent.relnamespace = 'tocsin'::regnamespace
      and parent.relname = any(${sql.param([...dailyTables])}::text[])
      and child.relname ~ ('^' || parent.relname || '_[0-9]{8}$')
    order by right(child.relname, 8), array_position(${sql.param([...dailyTables])}::text[], parent.relname::text)`);
  return result.rows.map(({ table, name }) => {
    const [year, month, day] = [name.slice(-8, -4), name.slice(-4, -2), name.slice(-2)].map(Number);
    return { table, name, day: new Date(Date.UTC(year as number, (month as number) - 1, day)) };
  });
}

/** True while an execution or delivery of an event of that UTC day waits to be worked on. */
export async function hasOpenWork(orm: Orm, day: Date): Promise<boolean> {
  const result = await orm.execute<{ isOpen: boolean }>(sql`
    select tocsin.has_open_work(${day.toISOString()}::timestamptz) as "isOpen"`);
  return result.rows[0]?.isOpen ?? false;
}

/**
 * Drops a partition, unless work of its day is open. Whoever uses the table waits for the drop, so its lock is given up
 * after `lockTimeoutMs`, when somebody else is at work on the table for that long.
 */
export async function dropPartition(
  database: Database,
  partition: DayPartition,
  lockTimeoutMs: number,
): Promise<'dropped' | 'open' | 'locked'> {
  try {
    const result = await database.orm.execute<{ isDropped: boolean }>(sql`
      select tocsin.drop_partition(${partition.name}, ${lockTimeoutMs}) as "isDropped"`);
    return result.rows[0]?.isDropped ? 'dropped' : 'open';
  } catch (error) {
    if (sqlState(error) === lockNotAvailable) return 'locked';
    throw error;
  }
}

/** Locks up to `limit` finished executions, in the order of their ids, until the transaction ends; those in use are left out. */
export async function pickExecutions(
  orm: Orm,
  scope: PruneScope,
  page: { afterId: string; limit: number },
): Promise<string[]> {
  const result = await orm.execute<{ id: string }>(sql`
    select x.id
    from tocsin.${sql.identifier(scope.partition)} x
    where ${isOldExecution(scope)}
      and x.id > ${page.afterId}::uuid
    order by x.id
    limit ${page.limit}
    for update skip locked`);
  return result.rows.map((row) => row.id);
}

/** Locks up to `limit` matched events, in the order of their ids, until the transaction ends; those in use are left out. */
export async function pickEvents(
  orm: Orm,
  scope: PruneScope,
  page: { afterId: string; limit: number },
): Promise<string[]> {
  const result = await orm.execute<{ id: string }>(sql`
    with ${openEvents(scope)}
    select x.id
    from tocsin.${sql.identifier(scope.partition)} x
    where ${isOldEvent(scope)}
      and x.id > ${page.afterId}::uuid
    order by x.id
    limit ${page.limit}
    for update of x skip locked`);
  return result.rows.map((row) => row.id);
}

/** Deletes the deliveries of executions, given in the order of their ids, and answers the ids of the deliveries. */
export async function deleteDeliveriesOf(orm: Orm, executionIds: readonly string[]): Promise<string[]> {
  const [first, last] = [executionIds[0], executionIds.at(-1)];
  if (first === undefined || last === undefined) return [];
  const { lowest, highest } = idRange(first, last);
  const result = await orm.execute<{ id: string }>(sql`
    delete from tocsin.deliveries
    where execution_id = any(${sql.param(executionIds)}::uuid[])
      and id between ${lowest}::uuid and ${highest}::uuid
    returning id`);
  return result.rows.map((row) => row.id);
}

/** Deletes the attempts of these deliveries; answers how many there were. */
export async function deleteAttemptsOf(orm: Orm, deliveryIds: readonly string[]): Promise<number> {
  const result = await orm.execute(sql`
    delete from tocsin.delivery_attempts
    where delivery_id = any(${sql.param(deliveryIds)}::uuid[])`);
  return result.rowCount ?? 0;
}

/** Deletes rows of a daily table by id; answers how many there were. */
export async function deleteByIds(
  orm: Orm,
  table: 'executions' | 'event_history',
  ids: readonly string[],
): Promise<number> {
  const result = await orm.execute(sql`
    delete from tocsin.${sql.identifier(table)}
    where id = any(${sql.param(ids)}::uuid[])`);
  return result.rowCount ?? 0;
}

/** Deletes up to `limit` idempotency keys written before a moment; answers how many there were. */
export async function deleteEventKeys(orm: Orm, options: { before: Date; limit: number }): Promise<number> {
  const result = await orm.execute(sql`
    delete from tocsin.event_keys
    where (tenant_id, idempotency_key) in (
      select tenant_id, idempotency_key
      from tocsin.event_keys
      where created_at < ${options.before.toISOString()}::timestamptz
      order by created_at
      limit ${options.limit}
      for update skip locked)`);
  return result.rowCount ?? 0;
}

/** How many rows `pickExecutions` would find in all, with what hangs on them. */
export async function countExecutions(
  orm: Orm,
  scope: PruneScope,
): Promise<{ executions: number; deliveries: number; deliveryAttempts: number }> {
  const result = await orm.execute<{ executions: number; deliveries: number; deliveryAttempts: number }>(sql`
    with old as materialized (
      select x.id
      from tocsin.${sql.identifier(scope.partition)} x
      where ${isOldExecution(scope)}
    ), sent as materialized (
      select d.id
      from tocsin.deliveries d
      where d.execution_id in (select id from old)
    )
    select
      (select count(*)::float8 from old) as executions,
      (select count(*)::float8 from sent) as deliveries,
      (select count(*)::float8
        from tocsin.delivery_attempts a
        where a.delivery_id in (select id from sent)) as "deliveryAttempts"`);
  return result.rows[0] as { executions: number; deliveries: number; deliveryAttempts: number };
}

/** How many rows `pickEvents` would find in all. */
export async function countEvents(orm: Orm, scope: PruneScope): Promise<number> {
  const result = await orm.execute<{ events: number }>(sql`
    with ${openEvents(scope)}
    select count(*)::float8 as events
    from tocsin.${sql.identifier(scope.partition)} x
    where ${isOldEvent(scope)}`);
  return result.rows[0]?.events ?? 0;
}

/** How many idempotency keys were written before a moment. */
export async function countEventKeys(orm: Orm, before: Date): Promise<number> {
  const result = await orm.execute<{ keys: number }>(sql`
    select count(*)::float8 as keys
    from tocsin.event_keys
    where created_at < ${before.toISOString()}::timestamptz`);
  return result.rows[0]?.keys ?? 0;
}

/** Old by its event, and finished as long ago: one that waited for a worker is kept its days all the same. */
function isOldExecution(scope: PruneScope): SQL {
  return sql`${isInScope(scope)} and x.completed_at < ${scope.before.toISOString()}::timestamptz`;
}

function isOldEvent(scope: PruneScope): SQL {
  return sql`
    ${isInScope(scope)}
    and x.processed_at < ${scope.before.toISOString()}::timestamptz
    and not exists (select from open where open.event_id = x.id)`;
}

/** Events whose messages are still to be rendered. */
function openEvents({ before }: PruneScope): SQL {
  return sql`open as materialized (
      select e.event_id
      from tocsin.executions e
      where e.status = 'pending'
        and e.id < tocsin.id_at(${before.toISOString()})
      union
      select e.event_id
      from tocsin.deliveries d
      join tocsin.executions e on e.id = d.execution_id
      where d.status = 'pending'
        and d.id < tocsin.id_at(${before.toISOString()})
    )`;
}

function isInScope({ tenants: group, from, before }: PruneScope): SQL {
  const isOfGroup =
    'only' in group
      ? sql`x.tenant_id = any(${sql.param(group.only)}::text[])`
      : sql`x.tenant_id <> all(${sql.param(group.except)}::text[])`;
  const isLateEnough = from === null ? sql`` : sql`and x.id >= tocsin.id_at(${from.toISOString()})`;
  return sql`${isOfGroup} and x.id < tocsin.id_at(${before.toISOString()}) ${isLateEnough}`;
}
