import { type Issue, unknownWord } from '../errors.ts';
import type { EntityType } from '../model/entity-type.ts';
import { triggerInput } from '../model/workflow.ts';

/** What the triggers of a definition ask for that the registered entity types do not have, and which of them they name. */
export type TriggerCheck = { readonly issues: readonly Issue[]; readonly entityTypes: readonly EntityType[] };

/**
 * Checks triggers against the entity types the host registered. Where it registered none, nothing is known and every name is
 * allowed. Triggers whose shape is wrong are left out: that has its own issues.
 */
export function checkTriggers(triggers: readonly unknown[], registered: readonly EntityType[]): TriggerCheck {
  const byName = new Map(registered.map((entityType) => [entityType.name, entityType]));
  const issues: Issue[] = [];
  const named = new Map<string, EntityType>();
  for (const [index, written] of triggers.entries()) {
    const trigger = triggerInput.safeParse(written).data;
    if (!trigger) continue;
    const path = `triggers[${index}]`;
    if (trigger.fields && trigger.operation !== 'update') {
      issues.push({
        path: `${path}.fields`,
        message: `only updates change fields: leave it out, or listen to "update" instead of "${trigger.operation}"`,
      });
    }
    if (byName.size === 0) continue;
    const entityType = byName.get(trigger.entityType);
    if (!entityType) {
      issues.push(
        unknownWord({
          path: `${path}.entityType`,
          kind: 'entity type',
          written: trigger.entityType,
          allowed: [...byName.keys()],
        }),
      );
      continue;
    }
    named.set(entityType.name, entityType);
    issues.push(...checkAgainst(entityType, { path, operation: trigger.operation, fields: trigger.fields ?? [] }));
  }
  return { issues, entityTypes: [...named.values()] };
}

function checkAgainst(
  entityType: EntityType,
  trigger: { path: string; operation: string; fields: readonly string[] },
): Issue[] {
  const { path, operation, fields } = trigger;
  const columns = entityType.fields.map((field) => field.name);
  const issues = fields.flatMap((field, index) =>
    columns.includes(field)
      ? []
      : [
          unknownWord({
            path: `${path}.fields[${index}]`,
            kind: `field of "${entityType.name}"`,
            written: field,
            allowed: columns,
          }),
        ],
  );
  if (entityType.operations.includes(operation)) return issues;
  const kind = `operation of "${entityType.name}"`;
  return [
    unknownWord({ path: `${path}.operation`, kind, written: operation, allowed: entityType.operations }),
    ...issues,
  ];
}
