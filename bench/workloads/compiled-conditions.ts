import { tenantId } from '../../src/cli/bench/order-workload.ts';
import { createHandlers } from '../../src/engine/built-in-handlers.ts';
import { type AllConditions, allConditions } from '../../src/match/all-conditions.ts';
import { compileCondition } from '../../src/match/compile-condition.ts';
import type { WorkflowEvent } from '../../src/model/event.ts';
import { parseJson } from '../../src/model/json.ts';

const { conditions: family } = createHandlers();

/** What a tenant writes as `field_value` conditions, compiled as the engine does it. */
export function compileFieldValues(
  definitions: readonly { readonly field: string; readonly operator: string; readonly value: unknown }[],
): AllConditions {
  return allConditions(
    definitions.map((definition) => {
      const context = { path: '', entityTypes: [], savedQueries: null };
      const compiled = compileCondition(family, { type: 'field_value', ...definition }, context);
      if (!compiled.ok) throw new Error(`${JSON.stringify(definition)}: ${compiled.error[0]?.message}`);
      return compiled.value;
    }),
  );
}

/** An inserted order as the engine decodes it. */
export function orderEvent(payload: unknown): WorkflowEvent {
  return {
    id: '01900000-0000-7000-8000-000000000000',
    tenantId,
    source: 'db',
    entityType: 'order',
    entityId: '1',
    operation: 'insert',
    payload: parseJson(JSON.stringify(payload)),
    previous: null,
    changed: [],
    actor: null,
    traceContext: null,
    idempotencyKey: null,
    causation: null,
    occurredAt: new Date(),
  };
}
