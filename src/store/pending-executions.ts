import type { ExecutionStatus } from '../model/execution.ts';
import type { Place } from '../model/ordering.ts';
import { promptly, type Runner } from './connection.ts';
import { versionOfRow } from './left-executions.ts';
import { dueInTurn, momentOf, type Turn, turnValues } from './tenants-in-line.ts';

/** An execution leased to this worker, to be decided and planned. */
export type ClaimedExecution = {
  readonly id: string;
  readonly tenantId: string;
  readonly workflowId: string;
  readonly workflowVersion: number;
  readonly eventId: string;
  readonly attempts: number;
  readonly leaseToken: string;
  /** The lease of another worker ran out before it ended the planning. */
  readonly takenOver: boolean;
  /** Null unless deliveries of its workflow go one after the other. */
  readonly place: Place | null;
  /** The version of all definitions when it was claimed. */
  readonly definitionsVersion: number;
};

/** Which executions can be claimed; `$2` are the versions that this worker cannot run, null when it can run all, `$3` is where it begins. */
const claimable = `
  status = 'pending'
  and due_at > ${momentOf('$3')}
  and due_at <= now()
  and ($2::text[] is null or ${versionOfRow} <> all($2::text[]))`;

/** What a worker may claim, and for how long. */
export type ExecutionClaim = {
  readonly leaseMs: number;
  /** Versions that it cannot run, as `versionKey` writes them: left to workers with other handlers. */
  readonly without?: readonly string[];
  /** Passes by those that were due until then, microseconds since 1970 (see `LowWaterMark`); default: none. */
  readonly dueAfter?: bigint;
};

/**
 * SQL that leases what `due` locks: until the lease ends nobody else takes it, afterwards anybody may. The attempt is counted
 * now, so that one which kills its worker runs out of attempts.
 */
function lease(due: string): string {
  return `
    with due as (${due})
    update tocsin.executions x
    set lease_token = gen_random_uuid(),
      due_at = now() + $1 * interval '1 millisecond',
      attempts = attempts + 1
    from due
    where x.id = due.id
    returning x.id, tenant_id as "tenantId", workflow_id as "workflowId", workflow_version as "workflowVersion",
      event_id as "eventId", attempts, lease_token as "leaseToken", due.taken_over as "takenOver",
      (select version::float8 from tocsin.definitions_version) as "definitionsVersion",
      case when ordering_key is not null
        then json_build_object('key', ordering_key, 'position', ordering_position::text) end as place`;
}

/** Leases pending executions that are due, those first that became due first. */
export async function claimExecutions(
  runner: Runner,
  options: ExecutionClaim & { limit: number },
): Promise<ClaimedExecution[]> {
  const result = await runner.query<ClaimedExecution>({
    ...promptly,
    name: 'tocsin_claim_executions',
    text: lease(`
      select id, lease_token is not null as taken_over
      from tocsin.executions
      where ${claimable}
      order by due_at
      limit $4
      for update skip locked`),
    values: [options.leaseMs, orNull(options.without), options.dueAfter ?? 0n, options.limit],
  });
  return result.rows;
}

/** The same for some tenants in turn, so many of each. */
export async function claimExecutionsInTurn(
  runner: Runner,
  options: ExecutionClaim & { turn: Turn },
): Promise<ClaimedExecution[]> {
  const result = await runner.query<ClaimedExecution>({
    ...promptly,
    name: 'tocsin_claim_executions_in_turn',
    text: lease(dueInTurn('executions', { claimable, first: 4 })),
    values: [options.leaseMs, orNull(options.without), options.dueAfter ?? 0n, ...turnValues(options.turn)],
  });
  return result.rows;
}

function orNull(versions: readonly string[] = []): readonly string[] | null {
  return versions.length > 0 ? versions : null;
}

/** Puts executions that were taken over back, not started; whoever claims them next takes them over too. */
export async function putBackSuspectExecutions(
  runner: Runner,
  options: { ids: readonly string[]; leaseTokens: readonly string[]; delayMs: number },
): Promise<void> {
  await runner.query(
    `update tocsin.executions x
     set due_at = now() + $3 * interval '1 millisecond', attempts = attempts - 1
     from unnest($1::uuid[], $2::uuid[]) as held (id, token)
     where x.id = held.id
       and x.lease_token = held.token
       and x.status = 'pending'`,
    [options.ids, options.leaseTokens, options.delayMs],
  );
}

/** Prolongs the lease; false when it is no longer ours: then nothing of it may be written. Locks the row. */
export async function renewExecutionLease(
  runner: Runner,
  options: { id: string; leaseToken: string; leaseMs: number },
): Promise<boolean> {
  const result = await runner.query({
    ...promptly,
    text: `
      update tocsin.executions
      set due_at = now() + $3 * interval '1 millisecond'
      where id = $1
        and lease_token = $2
        and status = 'pending'`,
    values: [options.id, options.leaseToken, options.leaseMs],
  });
  return result.rowCount === 1;
}

/**
 * Ends the planning of an execution: its status follows from its deliveries as they stand, unless `status` says it.
 * Call it in the transaction that holds the row through `renewExecutionLease`, so that no delivery
 * is counted twice or not at all.
 */
export async function finishExecution(
  runner: Runner,
  options: {
    id: string;
    leaseToken: string;
    status: ExecutionStatus | null;
    reason: string | null;
    /** A part of it failed: then it is no success, whatever was delivered. */
    isFailure: boolean;
    trace: string;
  },
): Promise<ExecutionStatus> {
  const result = await runner.query<{ status: ExecutionStatus }>(
    `with counts as (
       select count(*) filter (where status = 'pending') as open,
         count(*) filter (where status = 'delivered') as done,
         count(*) filter (where status = 'dead') as failed
       from tocsin.deliveries
       where execution_id = $1
     )
     update tocsin.executions
     set status = coalesce($3, case
           when counts.open > 0 then 'running'
           when counts.done > 0 and counts.failed = 0 and not $6 then 'success'
           when counts.done > 0 then 'partial'
           when counts.failed > 0 or $6 then 'failed'
           else 'skipped' end),
       reason = $4,
       trace = $5::json,
       deliveries_open = counts.open,
       deliveries_done = counts.done,
       deliveries_failed = counts.failed,
       lease_token = null,
       completed_at = case when counts.open = 0 then now() end
     from counts
     where id = $1
       and lease_token = $2
       and executions.status = 'pending'
     returning executions.status`,
    [options.id, options.leaseToken, options.status, options.reason, options.trace, options.isFailure],
  );
  const row = result.rows[0];
  if (!row) throw new Error(`execution ${options.id} is not leased to this worker`);
  return row.status;
}

/**
 * The same where it is known what the deliveries are: all of them were planned by whoever has the lease, and none is open or dead, so
 * that nobody can change them any more. They need not be counted, and nothing has to be locked before.
 *
 * @returns false when the lease is no longer ours: then nothing was written
 */
export async function finishToldExecution(
  runner: Runner,
  options: {
    id: string;
    leaseToken: string;
    status: ExecutionStatus;
    reason: string | null;
    trace: string;
    /** Deliveries that were made. */
    done: number;
  },
): Promise<boolean> {
  const result = await runner.query({
    ...promptly,
    name: 'tocsin_finish_told_execution',
    text: `
      update tocsin.executions
      set status = $3,
        reason = $4,
        trace = $5::json,
        deliveries_open = 0,
        deliveries_done = $6,
        deliveries_failed = 0,
        lease_token = null,
        completed_at = now()
      where id = $1
        and lease_token = $2
        and status = 'pending'`,
    values: [options.id, options.leaseToken, options.status, options.reason, options.trace, options.done],
  });
  return result.rowCount === 1;
}

/** Puts an execution that could not be decided back, to be tried again after a wait. */
export async function postponeExecution(
  runner: Runner,
  options: { id: string; leaseToken: string; reason: string; delayMs: number },
): Promise<void> {
  await runner.query(
    `update tocsin.executions
     set lease_token = null, reason = $3, due_at = now() + $4 * interval '1 millisecond'
     where id = $1
       and lease_token = $2
       and status = 'pending'`,
    [options.id, options.leaseToken, options.reason, options.delayMs],
  );
}

/** Gives an execution back as if it had not been claimed. */
export async function releaseExecution(runner: Runner, claimed: { id: string; leaseToken: string }): Promise<void> {
  await runner.query(
    `update tocsin.executions
     set lease_token = null, due_at = now(), attempts = attempts - 1
     where id = $1
       and lease_token = $2
       and status = 'pending'`,
    [claimed.id, claimed.leaseToken],
  );
}

/** Users that deliveries of this action of an execution stand for already: planned before a try that failed. */
export async function plannedRecipients(
  runner: Runner,
  planned: { executionId: string; actionId: string },
): Promise<string[]> {
  const result = await runner.query<{ id: string }>(
    `select recipient_id as id
     from tocsin.deliveries
     where execution_id = $1
       and action_id = $2
       and status <> 'skipped'`,
    [planned.executionId, planned.actionId],
  );
  return result.rows.map(({ id }) => id);
}
