import type { Runner } from './connection.ts';

/** What is counted per minute. */
export type UsageKind = 'events' | 'deliveries';

/** What tenants used in the minute (by the database's clock) that is under way. Who is missing used nothing. */
export type Usage = {
  readonly used: ReadonlyMap<string, Readonly<Record<UsageKind, number>>>;
  /** Until the minute ends, ms. */
  readonly leftMs: number;
};

/** When the window under way began: `$1` is its length, ms. */
const windowStart = `to_timestamp(floor(extract(epoch from clock_timestamp()) * 1000 / $1::float8) * $1::float8 / 1000)`;

/** Reads what these tenants (null: all that are counted) used so far. `windowMs` is the length of a minute, which tests shorten. */
export async function readUsage(
  runner: Runner,
  options: { tenantIds: readonly string[] | null; windowMs: number },
): Promise<Usage> {
  const { rows } = await runner.query<{ tenantId: string | null; events: number; deliveries: number; leftMs: number }>({
    name: 'tocsin_read_usage',
    text: `
      with present as (
        select ${windowStart} as start
      )
      select u.tenant_id as "tenantId", u.events, u.deliveries,
        ($1::float8 - extract(epoch from clock_timestamp() - start) * 1000)::float8 as "leftMs"
      from present
      left join tocsin.tenant_usage u
        on u.minute = present.start
        and ($2::text[] is null or u.tenant_id = any($2::text[]))`,
    values: [options.windowMs, options.tenantIds],
  });
  const used = new Map(
    rows.flatMap(({ tenantId, events, deliveries }) => (tenantId === null ? [] : [[tenantId, { events, deliveries }]])),
  );
  return { used, leftMs: Math.max(1, rows[0]?.leftMs ?? options.windowMs) };
}

type Counted = { readonly kind: UsageKind; readonly counts: ReadonlyMap<string, number>; readonly windowMs: number };

/** Counts what tenants used. Locks tenants in the order of their ids. */
export async function addUsage(runner: Runner, counted: Counted): Promise<void> {
  const { kind } = counted;
  await change(runner, counted, {
    name: `tocsin_add_usage_${kind}`,
    text: `
      insert into tocsin.tenant_usage as u (tenant_id, minute, ${kind})
      select tenant_id, ${windowStart}, used
      from unnest($2::text[], $3::int[]) as counted (tenant_id, used)
      order by tenant_id
      on conflict (tenant_id, minute) do update
      set ${kind} = u.${kind} + excluded.${kind}`,
  });
}

/** Takes back what was counted and not used after all. */
export async function returnUsage(runner: Runner, counted: Counted): Promise<void> {
  const { kind } = counted;
  await change(runner, counted, {
    name: `tocsin_return_usage_${kind}`,
    text: `
      update tocsin.tenant_usage u
      set ${kind} = greatest(u.${kind} - counted.used, 0)
      from unnest($2::text[], $3::int[]) as counted (tenant_id, used)
      where u.tenant_id = counted.tenant_id
        and u.minute = ${windowStart}`,
  });
}

async function change(
  runner: Runner,
  { counts, windowMs }: Counted,
  statement: { name: string; text: string },
): Promise<void> {
  if (counts.size === 0) return;
  await runner.query({ ...statement, values: [windowMs, [...counts.keys()], [...counts.values()]] });
}

/** How many tenants have used up a quota of the minute under way. `defaults` are for tenants without one of their own. */
export async function countThrottled(
  runner: Runner,
  options: { defaults: Readonly<Record<UsageKind, number | null>>; windowMs: number },
): Promise<Record<UsageKind, number>> {
  const { rows } = await runner.query<Record<UsageKind, number>>(
    `select (count(*) filter (where u.events >= coalesce(t.events_per_minute, $2::int)))::int as events,
       (count(*) filter (where u.deliveries >= coalesce(t.deliveries_per_minute, $3::int)))::int as deliveries
     from tocsin.tenant_usage u
     left join tocsin.tenants t on t.tenant_id = u.tenant_id
     where u.minute = ${windowStart}`,
    [options.windowMs, options.defaults.events, options.defaults.deliveries],
  );
  return rows[0] as Record<UsageKind, number>;
}

/** Forgets minutes that are over since long. */
export async function deleteOldUsage(runner: Runner): Promise<number> {
  const result = await runner.query(
    `delete from tocsin.tenant_usage
     where minute < now() - interval '1 hour'`,
  );
  return result.rowCount ?? 0;
}
