/**
 * Attempts that are counted before they are made, in a statement that commits by itself: what ends the process while it is
 * matched has then cost an attempt. Only where a process did end, or an event failed before (`runtime/careful-matching.ts`).
 */
import type { Runner } from './connection.ts';

/** Counts the first attempt of up to `limit` due events, those that wait longest, of other tenants than `without`. Answers their positions. */
export async function countFirstAttempts(
  runner: Runner,
  { limit, without }: { limit: number; without: readonly string[] },
): Promise<string[]> {
  const result = await runner.query<{ position: string }>(
    `with picked as (
       select position, segment
       from tocsin.events
       where attempts = 0
         and tenant_id <> all($2::text[])
         and (not_before is null or not_before <= now())
       order by position
       limit $1
       for update skip locked
     )
     update tocsin.events e
     set attempts = 1
     from picked
     where e.position = picked.position
       and e.segment = picked.segment
     returning e.position`,
    [limit, without],
  );
  return result.rows.map(({ position }) => position);
}

/**
 * Counts one more attempt of an event; if the process ends in it, the event waits for `delayMs`. False when somebody else has
 * the event, or had it.
 */
export async function countAttempt(
  runner: Runner,
  event: { position: string; attempts: number; delayMs: number },
): Promise<boolean> {
  const result = await runner.query(
    `with picked as (
       select position, segment
       from tocsin.events
       where position = $1
         and attempts = $2
         and (not_before is null or not_before <= now())
       for update skip locked
     )
     update tocsin.events e
     set attempts = e.attempts + 1, not_before = now() + $3 * interval '1 millisecond'
     from picked
     where e.position = picked.position
       and e.segment = picked.segment`,
    [event.position, event.attempts, event.delayMs],
  );
  return result.rowCount === 1;
}

/** Takes back the attempts of those of these events that stayed in the outbox, to wait for a quota or for their turn. */
export async function takeBackAttempts(runner: Runner, positions: readonly string[]): Promise<void> {
  await runner.query(
    `update tocsin.events
     set attempts = attempts - 1
     where position = any($1::bigint[])
       and attempts > 0`,
    [positions],
  );
}
