import type { Handlers } from '../handlers.ts';
import type { Orm } from '../store/database.ts';
import { loadEntityTypes } from '../store/entity-types.ts';
import { readWorkflowReferences } from '../store/workflow-references.ts';
import type { ValidationContext } from './validate-workflow.ts';

/** Everything a definition of the tenant is checked against, as of now. */
export async function loadValidationContext(
  orm: Orm,
  options: { tenantId: string; handlers: Handlers },
): Promise<ValidationContext> {
  const entityTypes = await loadEntityTypes(orm);
  const { savedQueries, templates, secrets } = await readWorkflowReferences(orm, options.tenantId);
  return {
    handlers: options.handlers,
    entityTypes,
    templates,
    secrets,
    savedQueries: new Map(savedQueries.map(({ name, parameters }) => [name, parameters.map((given) => given.name)])),
  };
}
