import { z } from 'zod';
import type { Issue } from '../errors.ts';
import { parseInput } from '../model/parse-input.ts';
import { err, ok, type Result } from '../model/result.ts';
import { type Workflow, type WorkflowInput, workflowInput } from '../model/workflow.ts';
import { cleanJson } from './clean-json.ts';
import { canonicalJson } from './part-ids.ts';
import { type ValidationContext, validateWorkflow } from './validate-workflow.ts';
import { definitionOf, type WorkflowAfter } from './workflow-change.ts';

/** What an update may change; lists replace the list that was, single settings leave the others. */
export type WorkflowPatch = {
  readonly [Key in Exclude<keyof WorkflowInput, 'status'>]?: WorkflowInput[Key] | undefined;
};

const patchInput = z.strictObject({
  name: z.unknown().optional(),
  description: z.unknown().optional(),
  triggers: z.unknown().optional(),
  conditions: z.unknown().optional(),
  actions: z.unknown().optional(),
  recipients: z.unknown().optional(),
  settings: z.looseObject({}).optional(),
  status: z.never('is changed by publishing, activating, deactivating or archiving').optional(),
});

const labelsInput = workflowInput.pick({ name: true, description: true });

type Labelled = Pick<WorkflowAfter, 'name' | 'description' | 'definition'>;

/**
 * The workflow with a patch applied and checked as a whole; null when nothing is different. A patch of name and description
 * alone leaves the definition unchecked: a workflow can be renamed although a secret that it uses is gone.
 */
export function workflowAfterPatch(
  current: Workflow,
  patch: unknown,
  context: ValidationContext,
): Result<WorkflowAfter | null, readonly Issue[]> {
  const clean = cleanJson(patch);
  if (clean.value === undefined) return err(clean.issues);
  const given = parseInput(patchInput, clean.value);
  if (!given.ok || clean.issues.length > 0) return err([...clean.issues, ...(given.ok ? [] : given.error)]);
  const { name, description, status } = current;
  const before: Labelled = { name, description, definition: definitionOf(current) };
  const after = checkChanged(before, given.value, context);
  if (!after.ok) return after;
  const isSame = canonicalJson(after.value) === canonicalJson(before);
  return ok(isSame ? null : { ...after.value, status, publishes: false });
}

function checkChanged(
  before: Labelled,
  { status: _status, ...changes }: z.output<typeof patchInput>,
  context: ValidationContext,
): Result<Labelled, readonly Issue[]> {
  const { name, description, definition } = before;
  const { name: _name, description: _description, ...parts } = changes;
  if (Object.keys(parts).length === 0) {
    const labels = parseInput(labelsInput, { name, description, ...changes });
    return labels.ok ? ok({ ...labels.value, definition }) : labels;
  }
  const settings = { ...definition.settings, ...changes.settings };
  const valid = validateWorkflow({ name, description, ...definition, ...changes, settings }, context, definition);
  return valid.ok
    ? ok({ name: valid.value.name, description: valid.value.description, definition: valid.value.definition })
    : valid;
}
