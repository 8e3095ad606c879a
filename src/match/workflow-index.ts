import type { Verdict } from '../model/condition.ts';
import type { WorkflowEvent } from '../model/event.ts';
import type { TriggerDefinition } from '../model/workflow.ts';
import type { CompiledCondition, Subject } from './condition.ts';
import { GradualMap } from './gradual-map.ts';
import { type NarrowAccess, narrowAccess } from './narrow-access.ts';
import { type Leaf, PredicateTree } from './predicate-tree.ts';

/** A workflow to be found by events. */
export type IndexedWorkflow<Entry> = {
  readonly workflowId: string;
  readonly tenantId: string;
  readonly triggers: readonly Pick<TriggerDefinition, 'entityType' | 'operation' | 'fields' | 'isActive'>[];
  readonly condition: Pick<CompiledCondition, 'test' | 'access' | 'isDecidedByAccess'>;
  /** Also report it when its trigger fits and its conditions say false. Such a workflow is asked by every event. */
  readonly reportFalse?: boolean;
  readonly value: Entry;
};

/** A workflow whose trigger fits, and what its conditions say. */
export type Match<Entry> = { readonly value: Entry; readonly verdict: Verdict };

/**
 * Which workflows an event concerns, without asking each: workflows are sorted by tenant, entity type, operation and what
 * their conditions need to find in the event.
 *
 * Workflows whose conditions say true, deferred or error are reported. One that the event cannot satisfy because a field it
 * needs has another value, or is not there, is not reported; while a tenant has at most 16 workflows for an entity type and
 * operation, every one is asked, so that a missing field is reported as the error it is.
 */
export class WorkflowIndex<Entry> {
  readonly #tenants = new GradualMap<string, Map<string, Map<string, Listeners<Entry>>>>();
  /** By workflow, its last leaf; each knows the one before. */
  readonly #leaves = new GradualMap<string, Leaf<Listener<Entry>>>();

  /** Adds a workflow, in place of the one with the same id. Takes a few microseconds, however many there are. */
  add(workflow: IndexedWorkflow<Entry>): void {
    const { workflowId, tenantId, condition, reportFalse = false, value } = workflow;
    this.remove(workflowId);
    const { accesses, saysAll } = reportFalse ? noAccess : narrowAccess(condition.access);
    const isDecided = saysAll && condition.isDecidedByAccess === true;
    let leaf: Leaf<Listener<Entry>> | null = null;
    for (const { entityType, operation, fields } of joinTriggers(workflow.triggers)) {
      const listeners = this.#listenersAt(tenantId, entityType, operation);
      const { test } = condition;
      leaf = listeners.tree.add({ value, test, reportFalse, fields, isDecided, listeners, previous: leaf }, accesses);
    }
    if (leaf !== null) this.#leaves.set(workflowId, leaf);
  }

  /** Removes a workflow if it is there. Takes a few microseconds, too. */
  remove(workflowId: string): void {
    const last = this.#leaves.get(workflowId);
    if (!last) return;
    for (let leaf: Leaf<Listener<Entry>> | null = last; leaf !== null; leaf = leaf.item.previous) {
      const { listeners } = leaf.item;
      listeners.tree.remove(leaf);
      if (listeners.tree.isEmpty) this.#forget(listeners);
    }
    this.#leaves.delete(workflowId);
  }

  /** Ids of all workflows in it. */
  workflowIds(): readonly string[] {
    return [...this.#leaves.keys()];
  }

  /** The value of a workflow that listens to anything; undefined when it is not in it. */
  get(workflowId: string): Entry | undefined {
    return this.#leaves.get(workflowId)?.item.value;
  }

  /** Workflows the event concerns, in no particular order. `now` is when the event happened. */
  match(event: WorkflowEvent, now: Date): readonly Match<Entry>[] {
    const listeners = this.#knownListeners(event.tenantId, event.entityType, event.operation);
    if (!listeners) return [];
    const subject: Subject = { event, now };
    const matches: Match<Entry>[] = [];
    listeners.tree.visit(subject, ({ value, test, reportFalse, fields, isDecided }, isCertain) => {
      if (fields !== null && !changesOneOf(event, fields)) return;
      const verdict = (isCertain && isDecided) || test(subject);
      if (verdict !== false || reportFalse) matches.push({ value, verdict });
    });
    return matches;
  }

  #knownListeners(tenantId: string, entityType: string, operation: string): Listeners<Entry> | undefined {
    return this.#tenants.get(tenantId)?.get(entityType)?.get(operation);
  }

  #listenersAt(tenantId: string, entityType: string, operation: string): Listeners<Entry> {
    const known = this.#knownListeners(tenantId, entityType, operation);
    if (known) return known;
    const ofTenant = getOrAdd(this.#tenants, tenantId, () => new Map());
    const ofEntityType = getOrAdd(ofTenant, entityType, () => new Map());
    return getOrAdd(ofEntityType, operation, () => ({
      tenantId,
      entityType,
      operation,
      tree: new PredicateTree(),
    }));
  }

  #forget({ tenantId, entityType, operation }: Listeners<Entry>): void {
    const ofTenant = this.#tenants.get(tenantId);
    const ofEntityType = ofTenant?.get(entityType);
    ofEntityType?.delete(operation);
    if (ofEntityType?.size === 0) ofTenant?.delete(entityType);
    if (ofTenant?.size === 0) this.#tenants.delete(tenantId);
  }
}

/** A workflow listening to one entity type and operation. */
type Listener<Entry> = {
  readonly value: Entry;
  readonly test: CompiledCondition['test'];
  readonly reportFalse: boolean;
  /** Columns of which one must have changed; null: whatever changed. */
  readonly fields: readonly string[] | null;
  /** Its conditions are true when the event has everything they need. */
  readonly isDecided: boolean;
  readonly listeners: Listeners<Entry>;
  /** Where else the same workflow listens. */
  readonly previous: Leaf<Listener<Entry>> | null;
};

type Listeners<Entry> = {
  readonly tenantId: string;
  readonly entityType: string;
  readonly operation: string;
  readonly tree: PredicateTree<Listener<Entry>>;
};

/** For a workflow that every event asks. */
const noAccess: NarrowAccess = { accesses: [], saysAll: false };

type JoinedTrigger = { entityType: string; operation: string; fields: readonly string[] | null };

/** One trigger per entity type and operation: several of the same fit when one of them does. */
function joinTriggers(triggers: IndexedWorkflow<unknown>['triggers']): JoinedTrigger[] {
  const joined: JoinedTrigger[] = [];
  for (const { entityType, operation, fields = null, isActive } of triggers) {
    if (!isActive) continue;
    const known = joined.find((other) => other.entityType === entityType && other.operation === operation);
    if (!known) joined.push({ entityType, operation, fields });
    else known.fields = known.fields && fields && [...known.fields, ...fields];
  }
  return joined;
}

function changesOneOf(event: WorkflowEvent, fields: readonly string[]): boolean {
  return fields.some((field) => event.changed.includes(field));
}

type Lookup<Value> = {
  readonly get: (key: string) => Value | undefined;
  readonly set: (key: string, value: Value) => unknown;
};

function getOrAdd<Value>(map: Lookup<Value>, key: string, make: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
