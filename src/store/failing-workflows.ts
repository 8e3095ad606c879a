import type { Reason } from '../model/reason.ts';
import type { Runner } from './connection.ts';
import { bumpDefinitionsVersion, type Database } from './database.ts';

/** An active workflow whose last executions all failed through its own fault. */
export type FailingWorkflow = {
  readonly tenantId: string;
  readonly workflowId: string;
  readonly name: string;
  readonly revision: number;
  readonly version: number;
  /** How many failed in a row. */
  readonly failures: number;
  /** Of the last one. */
  readonly reason: string;
};

/** Why an execution fails that is at fault itself: its definition, or a handler of the host. */
const executionFaults: readonly Reason[] = [
  'condition_error',
  'action_condition_error',
  'resolver_failed',
  'attempts_exhausted',
];

/** The same of a delivery; what the other side does is no fault of the workflow. */
const deliveryFaults: readonly Reason[] = [
  'template_error',
  'template_missing',
  'secret_missing',
  'secret_not_allowed_here',
  'url_not_allowed',
  'link_not_allowed',
  'unknown_handler',
  'handler_failed',
  'attempts_exhausted',
];

/** Actions whose time is up because of the other side; another one's handler is the host's. */
const reachingActions = ['webhook', 'email'];

/** Executions that are looked at, the newest of a workflow. */
const lookedAt = 1_000;

/** SQL that says whether an execution ended in a way that speaks for or against its workflow. */
function isJudged(execution: string): string {
  return `${execution}.status in ('success', 'partial', 'failed', 'skipped') and ${execution}.reason is distinct from 'loop_detected'`;
}

/**
 * Active workflows with one of these executions whose last `threshold` executions all failed through their own fault (the
 * workflow may set another threshold; 0 is never), for `spanMs` at least: what the host's look-ups do in a short outage pauses
 * nothing, however many events come in it. Counted are executions of the version that runs, since the workflow was last
 * changed or activated; one that went well, or was skipped, ends the row.
 *
 * A condition that is undecided as the event is matched does not count: the record lacks a field, and conditions that are false
 * leave no execution which would end the row.
 */
export async function findFailingWorkflows(
  runner: Runner,
  options: { executionIds: readonly string[]; threshold: number; spanMs: number },
): Promise<FailingWorkflow[]> {
  const result = await runner.query<FailingWorkflow>(
    `with suspects as (
       select distinct w.tenant_id, w.id, w.name, w.revision, w.published_version, w.updated_at,
         coalesce((v.definition -> 'settings' ->> 'pauseAfterFailures')::int, $2) as threshold
       from tocsin.executions x
       join tocsin.workflows w
         on w.id = x.workflow_id
         and w.published_version = x.workflow_version
         and w.status = 'active'
         and w.deleted_at is null
       join tocsin.workflow_versions v
         on v.workflow_id = w.id
         and v.version = w.published_version
       where x.id = any($1::uuid[])
         and x.status = 'failed'
     )
     select s.tenant_id as "tenantId", s.id as "workflowId", s.name, s.revision, s.published_version as version,
       row.failures, row.reason
     from suspects s
     cross join lateral (
       select count(*) filter (where last.is_fault)::int as failures, (array_agg(last.reason order by last.id desc))[1] as reason
       from (
         select x.id, coalesce(x.reason, dead.reason) as reason,
           x.status = 'failed' and case
             when x.reason = 'condition_error' then x.attempts > 0
             when x.reason is not null then x.reason = any($3::text[])
             else dead.is_fault end as is_fault
         from (
           -- A quota that left people out says nothing of those who were to be told.
           select id, workflow_version, status, nullif(reason, 'quota_recipients') as reason, attempts, completed_at
           from tocsin.executions
           where tenant_id = s.tenant_id
             and workflow_id = s.id
           order by id desc
           limit ${lookedAt}
         ) x
         left join lateral (
           select min(d.reason) as reason,
             bool_and(d.reason = any($4::text[]) or (d.reason = 'timeout' and d.action_type <> all($5::text[]))) as is_fault
           from tocsin.deliveries d
           where x.status = 'failed'
             and d.execution_id = x.id
             and d.status = 'dead'
         ) dead on true
         where x.workflow_version = s.published_version
           and ${isJudged('x')}
           and x.completed_at > s.updated_at
         order by x.id desc
         limit s.threshold
       ) last
     ) row
     where s.threshold > 0
       and row.failures = s.threshold
       and (
         select before.status = 'failed'
         from tocsin.executions before
         where before.tenant_id = s.tenant_id
           and before.workflow_id = s.id
           and before.workflow_version = s.published_version
           and before.id < tocsin.id_at(now() - $6 * interval '1 millisecond')
           and before.completed_at > s.updated_at
           and ${isJudged('before')}
         order by before.id desc
         limit 1
       )
       and not exists (
         select
         from tocsin.executions since
         where since.tenant_id = s.tenant_id
           and since.workflow_id = s.id
           and since.workflow_version = s.published_version
           and since.id >= tocsin.id_at(now() - $6 * interval '1 millisecond')
           and since.completed_at > s.updated_at
           and since.status <> 'failed'
           and ${isJudged('since')}
       )`,
    [options.executionIds, options.threshold, executionFaults, deliveryFaults, reachingActions, options.spanMs],
  );
  return result.rows;
}

/**
 * Sets a failing workflow inactive, with the reason, unless somebody changed it since it was found. Its working copy and its
 * revision stay as they are: who edits it at the same time loses nothing.
 *
 * @returns false when it was changed
 */
export async function pauseWorkflow(database: Database, failing: FailingWorkflow): Promise<boolean> {
  const { tenantId, workflowId, version, revision, reason } = failing;
  return database.transaction(async (tx, client) => {
    const locked = await client.query(
      `select
       from tocsin.workflows
       where tenant_id = $1
         and id = $2
         and status = 'active'
         and published_version = $3
         and revision = $4
         and deleted_at is null
       for update`,
      [tenantId, workflowId, version, revision],
    );
    if (locked.rowCount === 0) return false;
    await client.query(
      `update tocsin.workflows
       set status = 'inactive', paused_reason = $3, updated_at = now(), changed_at_version = $4
       where tenant_id = $1
         and id = $2`,
      [tenantId, workflowId, reason, await bumpDefinitionsVersion(tx)],
    );
    await client.query(
      `delete from tocsin.subscriptions
       where tenant_id = $1
         and workflow_id = $2`,
      [tenantId, workflowId],
    );
    return true;
  });
}
