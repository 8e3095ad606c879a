import type { WorkflowEvent } from '../model/event.ts';
import { stringifyJson } from '../model/json.ts';
import { bigintArray } from './array-parameter.ts';
import type { Runner } from './connection.ts';

const historyColumns =
  'id, tenant_id, source, entity_type, entity_id, operation, payload, previous, changed, actor, trace_context, causation, idempotency_key, occurred_at, attempts';

/** Moves events that were matched from the outbox to the history. */
export async function finishEvents(runner: Runner, positions: readonly string[]): Promise<void> {
  await runner.query({
    name: 'tocsin_finish_events',
    text: `
      with finished as (
        delete from tocsin.events
        where position = any($1::bigint[])
        returning ${historyColumns}
      )
      insert into tocsin.event_history (${historyColumns})
      select ${historyColumns}
      from finished`,
    values: [bigintArray(positions)],
  });
}

/** Gives an event up: it goes to the history with the reason, a dead letter that can be redriven. */
export async function giveUpEvent(
  runner: Runner,
  options: { position: string; failure: string; attempts: number },
): Promise<void> {
  await runner.query(
    `with finished as (
       delete from tocsin.events
       where position = $1
       returning ${historyColumns}
     )
     insert into tocsin.event_history (${historyColumns}, failure)
     select id, tenant_id, source, entity_type, entity_id, operation, payload, previous, changed, actor, trace_context,
       causation, idempotency_key, occurred_at, $3::smallint, $2
     from finished`,
    [options.position, options.failure, options.attempts],
  );
}

/** Puts an event that could not be matched back, to be tried again after a wait. */
export async function postponeEvent(
  runner: Runner,
  options: { position: string; attempts: number; delayMs: number },
): Promise<void> {
  await runner.query(
    `update tocsin.events
     set attempts = $2, not_before = now() + $3 * interval '1 millisecond'
     where position = $1`,
    [options.position, options.attempts, options.delayMs],
  );
}

/** Writes an event that did not wait in the outbox straight to the history. */
export async function insertHistoryEvent(runner: Runner, event: WorkflowEvent): Promise<void> {
  await runner.query(
    `insert into tocsin.event_history (${historyColumns})
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 0)`,
    [
      event.id,
      event.tenantId,
      event.source,
      event.entityType,
      event.entityId,
      event.operation,
      stringifyJson(event.payload),
      event.previous === null ? null : stringifyJson(event.previous),
      event.changed,
      event.actor,
      event.traceContext,
      event.causation,
      event.idempotencyKey,
      event.occurredAt,
    ],
  );
}
