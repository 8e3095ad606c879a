import type { Runner } from './connection.ts';
import type { StoredEvent } from './read-events.ts';

/** An event of the outbox, locked by the transaction that claimed it. */
export type ClaimedEvent = StoredEvent & {
  readonly position: string;
  /** An image is large and stands as null: `readLargeEvent` brings it. */
  readonly isLarge: boolean;
  readonly attempts: number;
  /** The version all definitions were at when it was claimed. */
  readonly definitionsVersion: string;
};

/** The version that definitions have to be loaded up to, so that no decision about these events is stale. */
export function definitionsVersionOf(events: readonly ClaimedEvent[]): number {
  return events.reduce((newest, { definitionsVersion }) => Math.max(newest, Number(definitionsVersion)), 0);
}

/** Images above this many bytes are read one event at a time, so that a batch of big rows does not fill the memory. */
const largeBytes = 65_536;

/** What is stored in no more than this is not large, even if it was compressed: spares most images a conversion to text. */
const smallBytes = 1_000;

/** SQL that says whether an image may come with its batch; null when there is none. */
function fits(image: 'payload' | 'previous'): string {
  return `(pg_column_size(${image}) <= ${smallBytes} or octet_length(${image}::text) <= ${largeBytes})`;
}

const claimedColumns = `
  select position, id, tenant_id as "tenantId", source, entity_type as "entityType", entity_id as "entityId", operation,
    case when ${fits('payload')} then payload::text end as payload,
    case when ${fits('previous')} then previous::text end as previous,
    not (coalesce(${fits('payload')}, true) and coalesce(${fits('previous')}, true)) as "isLarge",
    changed, actor, trace_context as "traceContext", idempotency_key as "idempotencyKey", causation,
    (extract(epoch from occurred_at) * 1000)::float8 as "occurredAtMs", attempts,
    (select version from tocsin.definitions_version) as "definitionsVersion"
  from tocsin.events`;

const isDue = '(not_before is null or not_before <= now())';

/** What a lane may claim when it goes on in order. */
export type InOrderClaim = {
  readonly after: string;
  readonly limit: number;
  /** Nothing, when the transaction holds other events already: so it need not wait for the answer that says so. Default false. */
  readonly unlessHolding?: boolean;
};

/** SQL of a limit that is none when there is a reason to claim nothing: whoever has locked a row has an id of transaction. */
function limitUnlessHolding(limit: string, unlessHolding: string): string {
  return `case when ${unlessHolding}::boolean and pg_current_xact_id_if_assigned() is not null then 0 else ${limit}::int end`;
}

/**
 * Locks up to `limit` events with positions above `after` until the transaction ends; others skip them.
 *
 * Positions are given at insert and become visible at commit, so a lower one can appear later: `after` is an optimisation
 * for a drain under load (it skips the dead rows of what was drained), never a cursor. Claim from the start, or from a
 * `LowWaterMark`, before sleeping.
 */
export async function claimEvents(runner: Runner, options: InOrderClaim): Promise<ClaimedEvent[]> {
  const result = await runner.query<ClaimedEvent>({
    name: 'tocsin_claim_events',
    text: `
      ${claimedColumns}
      where position > $1
        and ${isDue}
      order by position
      limit ${limitUnlessHolding('$2', '$3')}
      for update skip locked`,
    values: [options.after, options.limit, options.unlessHolding ?? false],
  });
  return result.rows;
}

/**
 * The same for a lane that goes on: begins behind what lanes of any process have claimed, so that it need not step over the
 * rows that others hold or have drained. What it passes by is left to the claims from the start.
 */
export async function claimEventsBeyondOthers(runner: Runner, options: InOrderClaim): Promise<ClaimedEvent[]> {
  const result = await runner.query<ClaimedEvent>({
    name: 'tocsin_claim_events_beyond_others',
    text: `
      with claimed as materialized (
        ${claimedColumns}
        where position > greatest($1::bigint, (select pg_sequence_last_value('tocsin.claimed_position'::regclass)))
          and ${isDue}
        order by position
        limit ${limitUnlessHolding('$2', '$3')}
        for update skip locked
      ),
      published as materialized (
        select case when count(*) = $2 then setval('tocsin.claimed_position', max(claimed.position)) end
        from claimed
      )
      select claimed.*
      from claimed
        cross join published
      order by claimed.position`,
    values: [options.after, options.limit, options.unlessHolding ?? false],
  });
  return result.rows;
}

/** Locks these events, if they still wait, also such as are not due. */
export async function claimEventsAt(runner: Runner, positions: readonly string[]): Promise<ClaimedEvent[]> {
  const result = await runner.query<ClaimedEvent>(
    `${claimedColumns}
     where position = any($1::bigint[])
     order by position
     for update skip locked`,
    [positions],
  );
  return result.rows;
}

/** A stretch of the outbox: positions above `after`, up to `upTo` (null: to its end). */
export type EventRange = { readonly after: string; readonly upTo: string | null };

const lastPosition = '9223372036854775807';

/** The same as `claimEvents` in a stretch of the outbox, leaving out the events of some tenants. */
export async function claimEventsWithout(
  runner: Runner,
  options: EventRange & Pick<InOrderClaim, 'limit' | 'unlessHolding'> & { tenants: readonly string[] },
): Promise<ClaimedEvent[]> {
  const result = await runner.query<ClaimedEvent>({
    name: 'tocsin_claim_events_without',
    text: `
      ${claimedColumns}
      where position > $1
        and position <= $2
        and tenant_id <> all($3::text[])
        and ${isDue}
      order by position
      limit ${limitUnlessHolding('$4', '$5')}
      for update skip locked`,
    values: [
      options.after,
      options.upTo ?? lastPosition,
      options.tenants,
      options.limit,
      options.unlessHolding ?? false,
    ],
  });
  return result.rows;
}

/** Whether an event above `after` waits that nobody holds, leaving out those of some tenants. */
export async function isAnyEventFree(
  runner: Runner,
  options: { after: string; without: readonly string[] },
): Promise<boolean> {
  const result = await runner.query({
    name: 'tocsin_any_event',
    text: `
      select 1
      from tocsin.events
      where position > $1
        and tenant_id <> all($2::text[])
        and ${isDue}
      limit 1
      for update skip locked`,
    values: [options.after, options.without],
  });
  return result.rows.length > 0;
}

/** The ends of the outbox. */
export type OutboxBounds = {
  /** The first position above `after` that waits, whoever holds it; null: none does. */
  readonly first: string | null;
  /** The last that was given out. */
  readonly last: string;
  /** How long it took to find out, on the server. */
  readonly lastedMs: number;
};

/** The first position that waits above `after`, and the last that was given out. */
export async function readOutboxBounds(runner: Runner, after: string): Promise<OutboxBounds> {
  const result = await runner.query<OutboxBounds>({
    name: 'tocsin_outbox_bounds',
    text: `
      select coalesce(pg_sequence_last_value('tocsin.event_position'::regclass), 0)::text as last,
        (select position from tocsin.events where position > $1 order by position limit 1) as first,
        (extract(epoch from clock_timestamp() - statement_timestamp()) * 1000)::float8 as "lastedMs"`,
    values: [after],
  });
  return result.rows[0] as OutboxBounds;
}

/** The last position that was given out; its event may not be committed yet. */
export async function readLastPosition(runner: Runner): Promise<string> {
  const result = await runner.query<{ last: string }>({
    name: 'tocsin_last_position',
    text: "select coalesce(pg_sequence_last_value('tocsin.event_position'::regclass), 0)::text as last",
  });
  return result.rows[0]?.last ?? '0';
}

/** The images of a large event, as JSON text. */
export async function readLargeEvent(
  runner: Runner,
  position: string,
): Promise<{ payload: string | null; previous: string | null }> {
  const result = await runner.query<{ payload: string | null; previous: string | null }>(
    `select payload::text as payload, previous::text as previous
     from tocsin.events
     where position = $1`,
    [position],
  );
  return result.rows[0] ?? { payload: null, previous: null };
}

/** How large a large event's images are together, bytes of JSON text, without reading them. */
export async function readLargeEventBytes(runner: Runner, position: string): Promise<number> {
  const result = await runner.query<{ bytes: number }>(
    `select (coalesce(octet_length(payload::text), 0) + coalesce(octet_length(previous::text), 0))::float8 as bytes
     from tocsin.events
     where position = $1`,
    [position],
  );
  return result.rows[0]?.bytes ?? 0;
}
