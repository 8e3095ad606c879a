import type { Runner } from './connection.ts';

// Executions of versions that a worker has no handlers for. It leaves them out of its claims (`ExecutionClaim.without`); those that
// nobody takes are put off, and woken by the first worker that can run them.

export type WorkflowVersion = { readonly workflowId: string; readonly version: number };

/** Before every version. */
export const beforeAllVersions: WorkflowVersion = { workflowId: '00000000-0000-0000-0000-000000000000', version: 0 };

/** A workflow version as claims name it. */
export function versionKey(workflowId: string, version: number): string {
  return `${workflowId} ${version}`;
}

/** SQL of the same, of a row of `tocsin.executions`. */
export const versionOfRow = "workflow_id || ' ' || workflow_version";

/** Gives an execution that this worker cannot run to others, as if it had not been claimed; its log says what it waits for. */
export async function leaveExecution(
  runner: Runner,
  options: { id: string; leaseToken: string; delayMs: number },
): Promise<void> {
  await runner.query(
    `update tocsin.executions
     set lease_token = null, reason = 'unknown_handler', due_at = now() + $3 * interval '1 millisecond', attempts = attempts - 1
     where id = $1
       and lease_token = $2
       and status = 'pending'`,
    [options.id, options.leaseToken, options.delayMs],
  );
}

/** What nobody took for a minute waits for a worker that wakes it. */
const parkedForMs = 3_600_000;
const takenWithinMs = 60_000;

/** Versions of which executions were left: up to `limit` that come after one, in the order of their ids. */
export async function readLeftVersions(
  runner: Runner,
  { after, limit }: { after: WorkflowVersion; limit: number },
): Promise<WorkflowVersion[]> {
  const { rows } = await runner.query<WorkflowVersion>(
    `select distinct workflow_id as "workflowId", workflow_version as version
     from tocsin.executions
     where status = 'pending'
       and reason = 'unknown_handler'
       and (workflow_id, workflow_version) > ($2::uuid, $3::int)
     order by workflow_id, workflow_version
     limit $1`,
    [limit, after.workflowId, after.version],
  );
  return rows;
}

/**
 * Puts off up to `limit` executions of these versions that no worker has taken for a minute, so that claims need not look at each
 * of them again and again; answers how many.
 */
export async function parkLeftExecutions(
  runner: Runner,
  options: { versions: readonly string[]; limit: number },
): Promise<number> {
  const result = await runner.query(
    `update tocsin.executions x
     set due_at = now() + $3 * interval '1 millisecond', reason = 'unknown_handler'
     from (
       select id
       from tocsin.executions
       where status = 'pending'
         and due_at < now() - $4 * interval '1 millisecond'
         and lease_token is null
         and ${versionOfRow} = any($1::text[])
       order by due_at
       limit $2
       for update skip locked
     ) as left_over
     where x.id = left_over.id`,
    [options.versions, options.limit, parkedForMs, takenWithinMs],
  );
  return result.rowCount ?? 0;
}

/** Makes up to `limit` executions of these versions due that were left; answers how many. */
export async function wakeLeftExecutions(
  runner: Runner,
  options: { versions: readonly string[]; limit: number },
): Promise<number> {
  const result = await runner.query(
    `update tocsin.executions x
     set due_at = now()
     from (
       select id
       from tocsin.executions
       where status = 'pending'
         and due_at > now()
         and lease_token is null
         and reason = 'unknown_handler'
         and ${versionOfRow} = any($1::text[])
       limit $2
       for update skip locked
     ) as left_over
     where x.id = left_over.id`,
    [options.versions, options.limit],
  );
  return result.rowCount ?? 0;
}

/** How many executions wait for a worker with other handlers, up to 100,000. */
export async function countLeftExecutions(runner: Runner): Promise<number> {
  const { rows } = await runner.query<{ count: number }>(
    `select count(*)::int as count
     from (
       select
       from tocsin.executions
       where status = 'pending'
         and reason = 'unknown_handler'
       limit 100000
     ) as left_over`,
  );
  return rows[0]?.count ?? 0;
}
