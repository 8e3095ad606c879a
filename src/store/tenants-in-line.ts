import { promptly, type Runner } from './connection.ts';

/** Tables that are queues: their pending rows have a moment when they are due. */
export type Queue = 'deliveries' | 'executions';

/** SQL of a moment that a parameter says in microseconds since 1970. */
export function momentOf(parameter: string): string {
  return `'epoch'::timestamptz + ${parameter}::bigint * interval '1 microsecond'`;
}

/**
 * The moment after `dueAfter` when the first pending row is due, microseconds since 1970, whoever has it; null when none is or was
 * due. `now` is the database's clock, `lastedMs` how long it took to find out.
 */
export async function readFirstDue(
  runner: Runner,
  { queue, dueAfter }: { queue: Queue; dueAfter: bigint },
): Promise<{ first: bigint | null; now: bigint; lastedMs: number }> {
  const micros = (moment: string) => `(extract(epoch from ${moment}) * 1000000)::bigint::text`;
  const result = await runner.query<{ first: string | null; now: string; lastedMs: number }>({
    ...promptly,
    name: `tocsin_${queue}_first_due`,
    text: `
      select ${micros('statement_timestamp()')} as now,
        (select ${micros('due_at')}
         from tocsin.${queue}
         where status = 'pending'
           and due_at > ${momentOf('$1')}
           and due_at <= now()
         order by due_at
         limit 1) as first,
        (extract(epoch from clock_timestamp() - statement_timestamp()) * 1000)::float8 as "lastedMs"`,
    values: [dueAfter],
  });
  const { first = null, now = '0', lastedMs = 0 } = result.rows[0] ?? {};
  return { first: first === null ? null : BigInt(first), now: BigInt(now), lastedMs };
}

/** A tenant with pending rows; due when one of them is. */
export type TenantInLine = { readonly tenantId: string; readonly isDue: boolean };

/**
 * Up to `limit` tenants that have pending rows due after `dueAfter` (microseconds since 1970), in the order of their ids, from the
 * first after `after`. Takes one look into an index for each, however many rows they have.
 */
export async function tenantsInLine(
  runner: Runner,
  options: { queue: Queue; after: string; dueAfter: bigint; limit: number },
): Promise<TenantInLine[]> {
  const { queue, after, dueAfter, limit } = options;
  const next = (previous: string) => `
    select tenant_id, due_at
    from tocsin.${queue}
    where status = 'pending'
      and tenant_id > ${previous}
      and due_at > ${momentOf('$3')}
    order by tenant_id, due_at
    limit 1`;
  const result = await runner.query<TenantInLine>({
    ...promptly,
    name: `tocsin_${queue}_in_line`,
    text: `
      with recursive line (tenant_id, due_at, place) as (
        select tenant_id, due_at, 1
        from (${next('$1')}) as first
        union all
        select following.tenant_id, following.due_at, line.place + 1
        from line
        cross join lateral (${next('line.tenant_id')}) as following
        where line.place < $2
      )
      select tenant_id as "tenantId", due_at <= now() as "isDue"
      from line`,
    values: [after, limit, dueAfter],
  });
  return result.rows;
}

/** Whose rows to claim, and how many at most of each. */
export type Turn = {
  readonly tenantIds: readonly string[];
  readonly limits: readonly number[];
  /** So many of those that became due in the last two seconds, whoever they are of, but for `without`. */
  readonly fresh: { readonly limit: number; readonly without: readonly string[] };
};

/**
 * SQL that locks rows in turn: `id` and `taken_over` of those to lease. `claimable` says which may be; parameters from `$first` on
 * are those of `turnValues`.
 */
export function dueInTurn(queue: Queue, options: { claimable: string; first: number }): string {
  const { claimable, first } = options;
  return `
    select due.id, due.taken_over
    from unnest($${first}::text[], $${first + 1}::int[]) as turn (tenant_id, most)
    cross join lateral (
      select id, lease_token is not null as taken_over
      from tocsin.${queue}
      where ${claimable}
        and ${queue}.tenant_id = turn.tenant_id
      order by due_at
      limit turn.most
      for update skip locked
    ) as due
    union
    select fresh.id, fresh.taken_over
    from (
      select id, lease_token is not null as taken_over
      from tocsin.${queue}
      where ${claimable}
        and due_at > now() - interval '2 seconds'
        and tenant_id <> all($${first + 2}::text[])
      order by due_at
      limit $${first + 3}
      for update skip locked
    ) as fresh`;
}

export function turnValues({ tenantIds, limits, fresh }: Turn): unknown[] {
  return [tenantIds, limits, fresh.without, fresh.limit];
}
