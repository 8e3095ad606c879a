import { tenantId } from '../../src/cli/bench/order-workload.ts';
import type { IndexedWorkflow } from '../../src/match/workflow-index.ts';
import type { WorkflowEvent } from '../../src/model/event.ts';
import { compileFieldValues, orderEvent } from './compiled-conditions.ts';
import { Random } from './random.ts';

/** `keyed`: each workflow names a customer. `range`: each asks for a narrow range of the total, and for nothing else. */
export type IndexWorkload = 'keyed' | 'range';

type Definition = { readonly field: string; readonly operator: string; readonly value: unknown };

const highestTotal = 1e9;
const statuses = ['new', 'approved', 'shipped', 'returned'];

/**
 * Workflows of one tenant on inserted orders, of which an order fires about ten whatever their number (of `keyed` about
 * five: half of them ask for more than the customer). The value of each is its number.
 */
export function makeIndexedWorkflows(
  workload: IndexWorkload,
  options: { count: number; of: number },
): IndexedWorkflow<number>[] {
  const random = new Random(options.of);
  return Array.from({ length: options.count }, (_, number) => ({
    workflowId: `${workload} ${number}`,
    tenantId,
    triggers: [{ entityType: 'order', operation: 'insert', isActive: true }],
    condition: compileFieldValues(workload === 'keyed' ? keyedRule(random, options.of) : rangeRule(random, options.of)),
    value: number,
  }));
}

function keyedRule(random: Random, of: number): Definition[] {
  const others: Definition[] = [
    { field: 'total', operator: 'gt', value: random.below(highestTotal) },
    { field: 'status', operator: 'eq', value: random.pick(statuses) },
  ];
  const customer = { field: 'customer.id', operator: 'eq', value: random.below(customersOf(of)) };
  return [customer, ...random.some(others, random.below(3))];
}

function rangeRule(random: Random, of: number): Definition[] {
  const width = Math.round((highestTotal * 10) / of);
  const lowest = random.below(highestTotal);
  return [{ field: 'total', operator: 'between', value: [lowest, lowest + width] }];
}

/** Orders for an index of so many workflows. */
export function makeIndexedEvents(options: { count: number; of: number }): WorkflowEvent[] {
  const random = new Random(3);
  return Array.from({ length: options.count }, () =>
    orderEvent({
      total: random.below(highestTotal),
      status: random.pick(statuses),
      customer: { id: random.below(customersOf(options.of)) },
    }),
  );
}

function customersOf(workflows: number): number {
  return Math.max(1, Math.round(workflows / 10));
}
