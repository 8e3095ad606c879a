/**
 * Deliveries that go one after the other stand in a line: those of one tenant and ordering key, by position. What stands behind
 * another one is put off, so that claims need not look at it, however long the line is:
 *
 * - `parkBehindOthers` puts it off as it is planned, in the same transaction.
 * - Whatever closes a delivery then calls `wakeNextInLine`: the next one is due at once.
 * - The first of those that wait are put off for a minute, the others for an hour; each that is closed brings one more into the
 *   first group. If nobody wakes the next one, it so becomes due within a minute.
 *
 * Nobody sleeps by accident: planning locks the one before, and parks only if it still is open. Whoever closes that one has to wait
 * for the planning, and looks for the next one in a statement of its own, which sees what was planned.
 */
import { textArray, uuidArray } from './array-parameter.ts';
import { promptly, type Runner } from './connection.ts';

/** So many behind the first of a line become due within a minute, whatever happens. */
export const nearPlaces = 4;
/** How long those are put off, and how long the others. */
export const parkedSeconds = { near: 60, far: 3_600 };

/** A delivery that is planned, as far as its line goes. */
type Planned = {
  readonly id: string;
  readonly tenantId: string;
  readonly status: string;
  readonly place: { readonly key: string; readonly position: string } | null;
};

/**
 * The deliveries, with how long those are put off that stand behind another one of their line. Call it in the transaction that
 * writes them.
 */
export async function parkBehindOthers<Row extends Planned>(
  runner: Runner,
  planned: readonly Row[],
): Promise<(Row & { readonly parkedSeconds?: number })[]> {
  const inLine = planned.flatMap(({ id, tenantId, status, place }) =>
    place !== null && status === 'pending' ? [{ id, tenantId, ...place }] : [],
  );
  if (inLine.length === 0) return [...planned];
  const result = await runner.query<{ id: string; ahead: number }>({
    name: 'tocsin_places_in_line',
    text: `
      with planned as materialized (
        select id, tenant_id, ordering_key, ordering_position::bigint as ordering_position,
          row_number() over (partition by tenant_id, ordering_key order by ordering_position::bigint) as place
        from unnest($1::uuid[], $2::text[], $3::text[], $4::text[])
          as row (id, tenant_id, ordering_key, ordering_position)
      ), open as materialized (
        -- Lines with an open one before what is planned, unless somebody claims or closes that at this moment.
        select planned.tenant_id, planned.ordering_key,
          (select count(*)
           from (
             select
             from tocsin.deliveries ahead
             where ahead.tenant_id = planned.tenant_id
               and ahead.ordering_key = planned.ordering_key
               and ahead.ordering_position < planned.ordering_position
               and ahead.status = 'pending'
             order by ahead.ordering_position
             limit ${nearPlaces + 1}) counted) as length
        from planned
        cross join lateral (
          select
          from tocsin.deliveries held
          where held.id = (
              select before.id
              from tocsin.deliveries before
              where before.tenant_id = planned.tenant_id
                and before.ordering_key = planned.ordering_key
                and before.ordering_position < planned.ordering_position
                and before.status = 'pending'
              order by before.ordering_position desc
              limit 1)
            and held.status = 'pending'
          for share skip locked
        ) as one_before
        where planned.place = 1
      )
      select planned.id, (planned.place - 1 + coalesce(open.length, 0))::int as ahead
      from planned
      left join open using (tenant_id, ordering_key)`,
    values: [
      uuidArray(inLine.map(({ id }) => id)),
      textArray(inLine.map(({ tenantId }) => tenantId)),
      textArray(inLine.map(({ key }) => key)),
      textArray(inLine.map(({ position }) => position)),
    ],
  });
  const ahead = new Map(result.rows.map((row) => [row.id, row.ahead]));
  return planned.map((row) => {
    const others = ahead.get(row.id) ?? 0;
    if (others === 0) return row;
    return { ...row, parkedSeconds: others > nearPlaces ? parkedSeconds.far : parkedSeconds.near };
  });
}

/** SQL that wakes what stands behind closed deliveries of lines; `which` says what deliveries `done` are meant. */
export function wakeNext(which: string): string {
  return `
      update tocsin.deliveries next
      set due_at = line.due_at
      from (
        select later.id,
          now() + interval '1 second' * case when later.place = 1 then 0 else ${parkedSeconds.near} end as due_at
        from tocsin.deliveries done
        cross join lateral (
          select waiting.id, row_number() over (order by waiting.ordering_position) as place
          from tocsin.deliveries waiting
          where waiting.tenant_id = done.tenant_id
            and waiting.ordering_key = done.ordering_key
            and waiting.ordering_position > done.ordering_position
            and waiting.status = 'pending'
          order by waiting.ordering_position
          limit ${nearPlaces + 1}
        ) as later
        where ${which}
          and done.status <> 'pending'
          and done.ordering_key is not null
      ) as line
      where next.id = line.id
        and next.status = 'pending'
        and next.attempts = next.attempts_base
        and next.due_at > line.due_at`;
}

/** Wakes what stands behind these deliveries: call it after the statement that closed them. */
export async function wakeNextInLine(runner: Runner, closed: readonly string[]): Promise<void> {
  if (closed.length === 0) return;
  await runner.query({
    ...promptly,
    name: 'tocsin_wake_next',
    text: wakeNext('done.id = any($1::uuid[])'),
    values: [closed],
  });
}
