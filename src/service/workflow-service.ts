import { z } from 'zod';
import type { Clock } from '../clock.ts';
import { invalid, unknownName, WorkflowError } from '../errors.ts';
import type { Handlers } from '../handlers.ts';
import type { ExecutionDetail, ExecutionLog } from '../log/execution-log.ts';
import { type Page, pageInput, pageOf } from '../model/page.ts';
import { parseInput } from '../model/parse-input.ts';
import { type Quotas, unlimited } from '../model/quota.ts';
import { err, ok, type Result } from '../model/result.ts';
import { isStorableText, unstorable } from '../model/storable-text.ts';
import { type Workflow, type WorkflowDefinition, type WorkflowInput, workflowStatuses } from '../model/workflow.ts';
import type { Database, Orm } from '../store/database.ts';
import { databaseRefusal } from '../store/database-refusal.ts';
import { withTenant } from '../store/with-tenant.ts';
import {
  listWorkflowVersions,
  readWorkflowVersion,
  type WorkflowVersion,
  type WorkflowVersionSummary,
} from '../store/workflow-versions.ts';
import {
  listWorkflowNames,
  listWorkflows,
  markWorkflowDeleted,
  readWorkflow,
  readWorkflowByName,
  type WorkflowKey,
  workflowExists,
} from '../store/workflows.ts';
import type { Answer, WriteOptions } from './answer.ts';
import { type DeliveryPageInput, type ExecutionFilter, ExecutionLogService } from './execution-log-service.ts';
import { idPageInput, isUuid, oneOrMany } from './list-input.ts';
import { loadValidationContext } from './load-validation-context.ts';
import { type ValidWorkflow, validateWorkflow } from './validate-workflow.ts';
import {
  type ChangeOptions,
  definitionOf,
  takeName,
  withLockedWorkflow,
  workflowNotFound,
  writeNewWorkflow,
  writeWorkflow,
} from './workflow-change.ts';
import { type WorkflowPatch, workflowAfterPatch } from './workflow-patch.ts';
import { refuseBeyondQuota } from './workflow-quota.ts';
import {
  activating,
  archiving,
  deactivating,
  publishing,
  reasonAgainstDelete,
  reasonAgainstUpdate,
  type Transition,
} from './workflow-transitions.ts';

/** What the service works on. */
export type WorkflowServiceOptions = {
  readonly database: Database;
  readonly handlers: Handlers;
  readonly clock?: Clock;
  /** Quotas of tenants that have none of their own; default none. */
  readonly quotas?: Quotas;
  /** The worker of this process: what `startEventListener` starts. */
  readonly eventListener?: { readonly start: () => Promise<void>; readonly stop: () => Promise<void> };
};

const listInput = idPageInput.extend({
  status: oneOrMany(workflowStatuses).optional(),
  /** Finds names that contain it, in any case. */
  name: z.string().min(1).max(200).refine(isStorableText, unstorable).optional(),
});

const versionPageInput = idPageInput.extend({
  cursor: pageInput.shape.cursor.refine(
    (key) => key === undefined || /^\d{1,9}$/.test(key),
    'is not a cursor of this list',
  ),
});

/**
 * What administrators do with workflows of their tenant. Expected answers come back as results; only faults (a lost
 * connection, a bug) throw. A workflow is a draft until it is first published; what runs is always a published version, and
 * changes to the working copy run only once they are published.
 */
export class WorkflowService {
  readonly #database: Database;
  readonly #handlers: Handlers;
  readonly #quotas: Quotas;
  readonly #logs: ExecutionLogService;
  readonly #eventListener: WorkflowServiceOptions['eventListener'];

  constructor(options: WorkflowServiceOptions) {
    this.#database = options.database;
    this.#handlers = options.handlers;
    this.#quotas = options.quotas ?? unlimited;
    this.#logs = new ExecutionLogService(options);
    this.#eventListener = options.eventListener;
  }

  /** Checks a workflow as `createWorkflow` would, and saves nothing. */
  async validateWorkflow(tenantId: string, input: WorkflowInput): Answer<ValidWorkflow> {
    return withTenant(this.#database, { tenantId }, (orm) =>
      this.#validate(orm, { tenantId, subject: 'the workflow', input }),
    );
  }

  /** Saves a workflow as a draft, or as version 1 that runs at once when its status is `active`. */
  async createWorkflow(
    tenantId: string,
    input: WorkflowInput,
    options: Omit<ChangeOptions, 'revision'> = {},
  ): Answer<Workflow> {
    return withTenant(this.#database, { tenantId, tx: options.tx }, async (tx) => {
      const valid = await this.#validate(tx, { tenantId, subject: 'the workflow', input });
      if (!valid.ok) return valid;
      const refusal =
        (await takeName(tx, { tenantId, name: valid.value.name })) ??
        (await refuseBeyondQuota(tx, { tenantId, defaults: this.#quotas, adds: 'workflow' }));
      if (refusal) return err(refusal);
      const after = { ...valid.value, publishes: valid.value.status === 'active' };
      return ok(await writeNewWorkflow(tx, tenantId, { after, actor: options.actor ?? null }));
    });
  }

  /**
   * Changes the working copy: what is given replaces what was, and single settings can be given. What runs stays as it was
   * published. Parts without a `partId` that are as they were keep theirs.
   */
  async updateWorkflow(
    tenantId: string,
    id: string,
    patch: WorkflowPatch,
    options: ChangeOptions = {},
  ): Answer<Workflow> {
    return withLockedWorkflow({ database: this.#database, key: { tenantId, id }, options }, async (current, tx) => {
      const refusal = reasonAgainstUpdate(current);
      if (refusal) return err(refusal);
      const context = await loadValidationContext(tx, { tenantId, handlers: this.#handlers });
      const after = workflowAfterPatch(current, patch, context);
      if (!after.ok) return err(invalid(`the update of workflow "${current.name}"`, after.error));
      if (after.value === null) return ok(current);
      const isRenamed = after.value.name !== current.name;
      const taken = isRenamed ? await takeName(tx, { tenantId, name: after.value.name }) : null;
      if (taken) return err(taken);
      return ok(await writeWorkflow(tx, current, { after: after.value, actor: null }));
    });
  }

  /**
   * Freezes the working copy as the next version. A draft becomes active (inactive with `activate: false`), an inactive
   * workflow stays inactive, an active one runs the new version at once; executions under way end with the version they began.
   */
  async publishWorkflow(
    tenantId: string,
    id: string,
    options: ChangeOptions & { readonly activate?: boolean | undefined } = {},
  ): Answer<Workflow> {
    return this.#step({
      key: { tenantId, id },
      options,
      step: (current) => publishing(current, { activate: options.activate ?? true }),
      toRun: async (current) => current,
    });
  }

  /** Makes the published version run. */
  async activateWorkflow(tenantId: string, id: string, options: ChangeOptions = {}): Answer<Workflow> {
    const key = { tenantId, id };
    return this.#step({
      key,
      options,
      step: activating,
      toRun: async ({ publishedVersion }, tx) =>
        publishedVersion === null ? null : ((await readWorkflowVersion(tx, key, publishedVersion))?.definition ?? null),
    });
  }

  /** Stops matching new events; executions under way are finished. */
  async deactivateWorkflow(tenantId: string, id: string, options: ChangeOptions = {}): Answer<Workflow> {
    return this.#step({ key: { tenantId, id }, options, step: deactivating });
  }

  /** Retires a workflow for good: it can only be read and deleted. */
  async archiveWorkflow(tenantId: string, id: string, options: ChangeOptions = {}): Answer<Workflow> {
    return this.#step({ key: { tenantId, id }, options, step: archiving });
  }

  /** Deletes a workflow that is not active and answers it as it last was. Its name is free; its versions and logs stay. */
  async deleteWorkflow(tenantId: string, id: string, options: ChangeOptions = {}): Answer<Workflow> {
    return withLockedWorkflow({ database: this.#database, key: { tenantId, id }, options }, async (current, tx) => {
      const refusal = reasonAgainstDelete(current);
      if (refusal) return err(refusal);
      await markWorkflowDeleted(tx, { tenantId, id });
      return ok(current);
    });
  }

  /** One workflow by its id. */
  async getWorkflow(tenantId: string, id: string, options: WriteOptions = {}): Answer<Workflow> {
    return withTenant(this.#database, { tenantId, tx: options.tx }, async (orm) => {
      const workflow = isUuid(id) ? await readWorkflow(orm, { tenantId, id }) : null;
      return workflow ? ok(workflow) : err(workflowNotFound(id));
    });
  }

  /** One workflow by its exact name. */
  async getWorkflowByName(tenantId: string, name: string, options: WriteOptions = {}): Answer<Workflow> {
    return withTenant(this.#database, { tenantId, tx: options.tx }, async (orm) => {
      const workflow = isStorableText(name) ? await readWorkflowByName(orm, { tenantId, name }) : null;
      if (workflow) return ok(workflow);
      const subject = `no workflow has the name ${JSON.stringify(name)}`;
      const known = await listWorkflowNames(orm, tenantId);
      return err(unknownName({ subject, written: name, known, next: 'list workflows to see their names' }));
    });
  }

  /** Workflows of the tenant, newest first. */
  async listWorkflows(tenantId: string, filter: z.input<typeof listInput> = {}): Answer<Page<Workflow>> {
    const given = parseInput(listInput, filter);
    if (!given.ok) return err(invalid('the filter', given.error));
    const { status, name, limit, cursor } = given.value;
    const query = {
      tenantId,
      statuses: status ?? null,
      name: name ?? null,
      beforeId: cursor ?? null,
      limit: limit + 1,
    };
    return withTenant(this.#database, { tenantId }, async (orm) =>
      ok(pageOf(await listWorkflows(orm, query), limit, (row) => row.id)),
    );
  }

  /** Published versions of a workflow, newest first; also of a deleted one. */
  async listVersions(
    tenantId: string,
    id: string,
    page: z.input<typeof versionPageInput> = {},
  ): Answer<Page<WorkflowVersionSummary>> {
    const given = parseInput(versionPageInput, page);
    if (!given.ok) return err(invalid('the page', given.error));
    const { limit, cursor } = given.value;
    const key = { tenantId, id };
    const before = cursor === undefined ? null : Number(cursor);
    return withTenant(this.#database, { tenantId }, async (orm) => {
      if (!(await exists(orm, key))) return err(workflowNotFound(id));
      const rows = await listWorkflowVersions(orm, key, { before, limit: limit + 1 });
      return ok(pageOf(rows, limit, (row) => String(row.version)));
    });
  }

  /** One published version as it was published; also of a deleted workflow. */
  async getVersion(tenantId: string, id: string, version: number): Answer<WorkflowVersion> {
    const key = { tenantId, id };
    const isNumber = Number.isInteger(version) && version > 0 && version <= 2_147_483_647;
    return withTenant(this.#database, { tenantId }, async (orm) => {
      if (!(await exists(orm, key))) return err(workflowNotFound(id));
      const found = isNumber ? await readWorkflowVersion(orm, key, version) : null;
      if (found) return ok(found);
      return err(new WorkflowError('not_found', `workflow ${id} has no version ${version}: list its versions`));
    });
  }

  /** What executions came to, newest first: of one workflow, also a deleted one, or of all of the tenant. */
  async getExecutionLogs(tenantId: string, filter: ExecutionFilter = {}): Answer<Page<ExecutionLog>> {
    return this.#logs.getExecutionLogs(tenantId, filter);
  }

  /** One execution with its event, every delivery and every attempt. */
  async getExecution(tenantId: string, id: string, page: DeliveryPageInput = {}): Answer<ExecutionDetail> {
    return this.#logs.getExecution(tenantId, id, page);
  }

  /** Cancels an execution that is not at its end; deliveries that are still open are not made. */
  async cancelExecution(
    tenantId: string,
    id: string,
    options: WriteOptions = {},
  ): Answer<{ readonly deliveries: number }> {
    return this.#logs.cancelExecution(tenantId, id, options);
  }

  /** Starts the worker of this process: from now on events are matched, executed and delivered here. */
  async startEventListener(): Answer<void> {
    if (!this.#eventListener) return err(noEventListener());
    try {
      return ok(await this.#eventListener.start());
    } catch (error) {
      const refusal = databaseRefusal(error);
      if (refusal) return err(refusal);
      throw error;
    }
  }

  /** Stops the worker of this process once what is under way is done; nothing is lost. */
  async stopEventListener(): Answer<void> {
    if (!this.#eventListener) return err(noEventListener());
    return ok(await this.#eventListener.stop());
  }

  async #validate(orm: Orm, options: { tenantId: string; subject: string; input: unknown }): Answer<ValidWorkflow> {
    const { tenantId, subject, input } = options;
    const context = await loadValidationContext(orm, { tenantId, handlers: this.#handlers });
    const valid = validateWorkflow(input, context);
    return valid.ok ? valid : err(invalid(subject, valid.error));
  }

  /** Takes a step that leaves the working copy as it is; `toRun` reads what will run after it, which is checked once more. */
  async #step(given: {
    key: WorkflowKey;
    options: ChangeOptions;
    step: (current: Workflow) => Result<Transition, WorkflowError>;
    toRun?: (current: Workflow, tx: Orm) => Promise<WorkflowDefinition | null>;
  }): Answer<Workflow> {
    const { key, options, step, toRun } = given;
    return withLockedWorkflow({ database: this.#database, key, options }, async (current, tx) => {
      const transition = step(current);
      if (!transition.ok) return transition;
      if (transition.value.status === 'active' && current.status !== 'active') {
        const { tenantId } = key;
        const refusal = await refuseBeyondQuota(tx, { tenantId, defaults: this.#quotas, adds: 'active workflow' });
        if (refusal) return err(refusal);
      }
      const { name, description } = current;
      const definition = await toRun?.(current, tx);
      if (definition) {
        const input = { name, ...definitionOf(definition) };
        const valid = await this.#validate(tx, { tenantId: key.tenantId, subject: `workflow "${name}"`, input });
        if (!valid.ok) return valid;
      }
      const after = { ...transition.value, name, description, definition: definitionOf(current) };
      return ok(await writeWorkflow(tx, current, { after, actor: options.actor ?? null }));
    });
  }
}

async function exists(orm: Orm, key: WorkflowKey): Promise<boolean> {
  return isUuid(key.id) && (await workflowExists(orm, key));
}

function noEventListener(): WorkflowError {
  const next = 'make it with createTocsin, give it the option `eventListener`, or run `tocsin worker`';
  return new WorkflowError('not_allowed', `this service has no event listener: ${next}`);
}
