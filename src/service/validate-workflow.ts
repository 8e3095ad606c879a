import type { ActionReference } from '../deliver/action.ts';
import { type Issue, unknownWord } from '../errors.ts';
import type { EntityType } from '../model/entity-type.ts';
import { parseInput } from '../model/parse-input.ts';
import { err, ok, type Result } from '../model/result.ts';
import { type WorkflowDefinition, workflowInput } from '../model/workflow.ts';
import { checkFieldReads } from './check-field-reads.ts';
import { checkParts, type PartContext } from './check-parts.ts';
import { checkTriggers } from './check-triggers.ts';
import { cleanJson } from './clean-json.ts';
import { identifyParts, repeatedPartIds } from './part-ids.ts';

/** What a definition is checked against: the handlers of this process, and what the tenant and the host have stored. */
export type ValidationContext = Pick<PartContext, 'handlers' | 'savedQueries'> & {
  /** Everything the host registered. */
  readonly entityTypes: readonly EntityType[];
  /** Names of the tenant's stored mail templates. */
  readonly templates: readonly string[];
  /** Names of the tenant's secrets. */
  readonly secrets: readonly string[];
};

/** A workflow that may be saved: defaults filled in, every part with its id, actions in the order they run. */
export type ValidWorkflow = {
  readonly name: string;
  readonly description: string;
  readonly status: 'draft' | 'active';
  readonly definition: WorkflowDefinition;
};

/**
 * Checks a workflow as a tenant wrote it and reports everything that is wrong with it at once. Pure.
 *
 * @param previous the definition it replaces: parts without an id that are as they were keep theirs
 */
export function validateWorkflow(
  input: unknown,
  context: ValidationContext,
  previous?: WorkflowDefinition,
): Result<ValidWorkflow, readonly Issue[]> {
  const clean = cleanJson(input);
  if (clean.value === undefined) return err(clean.issues);
  const shape = parseInput(workflowInput, clean.value);
  const issues = [
    ...clean.issues,
    ...(shape.ok ? repeatedPartIds(shape.value) : shape.error),
    ...checkMeaning(clean.value, context),
  ];
  if (!shape.ok || issues.length > 0) return err(withoutRepeats(issues, clean.issues));
  const { name, description, status, settings, ...parts } = shape.value;
  const identified = identifyParts(parts, previous);
  const actions = identified.actions.toSorted((a, b) => (a.order ?? 0) - (b.order ?? 0));
  return ok({ name, description, status, definition: { ...identified, actions, settings } });
}

function checkMeaning(written: unknown, context: ValidationContext): Issue[] {
  const definition = (typeof written === 'object' && written !== null ? written : {}) as Record<string, unknown>;
  const triggers = checkTriggers(Array.isArray(definition.triggers) ? definition.triggers : [], context.entityTypes);
  const parts = checkParts(definition, { ...context, entityTypes: triggers.entityTypes });
  return [
    ...triggers.issues,
    ...parts.issues,
    ...checkFieldReads(parts.reads, triggers.entityTypes, 'condition'),
    ...checkFieldReads(parts.templateReads, triggers.entityTypes, 'template'),
    ...parts.references.flatMap((reference) => checkReference(reference, context)),
  ];
}

function checkReference({ kind, name, path }: ActionReference, context: ValidationContext): Issue[] {
  const allowed = kind === 'template' ? context.templates : context.secrets;
  return allowed.includes(name) ? [] : [unknownWord({ path, kind, written: name, allowed })];
}

/** Enough to work on; hostile input could bring a thousand times as many. */
const mostIssues = 100;

/** One issue where two checks say the same, and none about the null that stands for what cannot be stored. */
function withoutRepeats(issues: readonly Issue[], unstorable: readonly Issue[]): readonly Issue[] {
  const refused = new Set(unstorable.map((issue) => issue.path));
  const said = new Set<string>();
  const distinct = issues.filter((issue) => {
    const key = `${issue.path} ${issue.message}`;
    const isNew = !said.has(key) && (!refused.has(issue.path) || unstorable.includes(issue));
    said.add(key);
    return isNew;
  });
  return distinct.slice(0, mostIssues);
}
