/**
 * Finds, among very many items, those that an event can satisfy, by what each item needs to find in the event's fields.
 *
 * A node asks up to 16 items one by one. When there are more, it sorts those that can be told apart by a field into
 * branches: for each field a table from value to node, and a tree of windows to nodes. Each item goes where it will be
 * asked least often for nothing, so that a value which nearly all share (`status = open`) is left to the next level.
 * Fabret et al., Filtering algorithms and implementation for very fast publish/subscribe systems (SIGMOD 2001), call this
 * access predicates.
 *
 * What an item needs beside what brings an event to its node is noted in the node (`sieve.ts`). With very many items the
 * memory that a search touches is what it costs: one that is not satisfied is passed over untouched, and one whose needs
 * are all seen to be there is known to be satisfied without asking it.
 *
 * Adding and removing touch one path of the tree; nothing is ever rebuilt.
 */
import type { ComparisonKey } from '../model/compare-values.ts';
import type { Subject } from './condition.ts';
import { EventFields } from './event-fields.ts';
import { GradualMap } from './gradual-map.ts';
import { IntervalTree } from './interval-tree.ts';
import type { FieldAccess } from './narrow-access.ts';
import { type Need, Sieve } from './sieve.ts';

/** Asking this many items costs about as much as a look-up per field. */
const mostAskedOneByOne = 16;
/** An item with lists of values stands in at most about this many nodes. */
const mostLeavesPerItem = 1_024;

/** Where an item stands in the tree; what `remove` takes. */
export type Leaf<T> = {
  readonly item: T;
  readonly needs: readonly Need[];
  /** All leaves of an item that stands in several nodes; null while this one is all. */
  siblings: Leaf<T>[] | null;
  node: TreeNode<T> | null;
  /** Where it stands in `items`, `leaves` and `sieve` of its node. */
  position: number;
};

type TreeNode<T> = {
  /** The items to ask here. Apart from the leaves, so that a search touches as little memory as can be. */
  items: T[];
  /** Null when they need nothing beside what brings an event here; always null at the root, where every item is asked. */
  sieve: Sieve | null;
  leaves: Leaf<T>[];
  /** Null until there are too many items to ask one by one. */
  branches: Branch<T>[] | null;
  /** Leaves here and below. */
  count: number;
  readonly slot: Slot<T> | null;
};

type Branch<T> = {
  readonly owner: TreeNode<T>;
  readonly field: number;
  readonly byKey: GradualMap<ComparisonKey, TreeNode<T>>;
  /** Null until an item needs a window. */
  byWindow: IntervalTree<TreeNode<T>> | null;
};

/** Where a node hangs. */
type Slot<T> = { readonly branch: Branch<T> } & (
  | { readonly key: ComparisonKey }
  | { readonly min: number; readonly max: number }
);

/** Takes an item the event may satisfy; `isCertain` when the event has everything that was said to be needed. */
type Visit<T> = (item: T, isCertain: boolean) => void;

export class PredicateTree<T> {
  readonly #root: TreeNode<T> = newNode(null);
  readonly #fields = new EventFields();

  get isEmpty(): boolean {
    return this.#root.count === 0;
  }

  /** Adds an item that needs all of `accesses` (one per field); without any it is visited by every event. */
  add(item: T, accesses: readonly FieldAccess[]): Leaf<T> {
    const needs = accesses.map((access): Need => {
      const field = this.#fields.take(access);
      return 'keys' in access ? { field, keys: access.keys } : { field, min: access.min, max: access.max };
    });
    const leaf: Leaf<T> = { item, needs, siblings: null, node: null, position: 0 };
    place(this.#root, leaf);
    return leaf;
  }

  remove(leaf: Leaf<T>): void {
    if (leaf.siblings === null) detach(leaf);
    else leaf.siblings.forEach(detach);
    for (const { field } of leaf.needs) this.#fields.giveBack(field);
  }

  /** Calls `visit` once for every item the event may satisfy, and for some it does not. `visit` must not search the tree. */
  visit(subject: Subject, visit: Visit<T>): void {
    this.#fields.turnTo(subject);
    try {
      for (const item of this.#root.items) visit(item, false);
      this.#visitBranches(this.#root, true, visit);
    } finally {
      this.#fields.letGo();
    }
  }

  #visitNode(node: TreeNode<T>, isCertain: boolean, visit: Visit<T>): void {
    const { items, sieve } = node;
    for (let i = 0; i < items.length; i++) {
      const fit = sieve === null ? 'certain' : sieve.fit(i, this.#fields);
      if (fit !== 'lacking') visit(items[i] as T, isCertain && fit === 'certain');
    }
    if (node.branches !== null) this.#visitBranches(node, isCertain, visit);
  }

  /** @param isCertain the event has what led to the node, as it is written */
  #visitBranches({ branches }: TreeNode<T>, isCertain: boolean, visit: Visit<T>): void {
    for (const { field, byKey, byWindow } of branches ?? []) {
      const { key, isAsWritten } = this.#fields.read(field);
      if (key === undefined) continue;
      const child = byKey.get(key);
      if (child) this.#visitNode(child, isCertain && isAsWritten, visit);
      if (byWindow === null || typeof key !== 'number') continue;
      byWindow.visit(key, (found, isBetween) => this.#visitNode(found, isCertain && isAsWritten && isBetween, visit));
    }
  }
}

function newNode<T>(slot: Slot<T> | null): TreeNode<T> {
  return { items: [], sieve: null, leaves: [], branches: null, count: 0, slot };
}

/** One more leaf of the same item. */
function siblingOf<T>(leaf: Leaf<T>): Leaf<T> {
  const sibling: Leaf<T> = { ...leaf, node: null, position: 0 };
  leaf.siblings ??= [leaf];
  leaf.siblings.push(sibling);
  sibling.siblings = leaf.siblings;
  return sibling;
}

function ownerOf<T>(node: TreeNode<T>): TreeNode<T> | null {
  return node.slot === null ? null : node.slot.branch.owner;
}

/** Hangs a leaf at the node or below it; where its item is told apart by several values, more leaves at the others. */
function place<T>(node: TreeNode<T>, leaf: Leaf<T>): void {
  const need = node.branches && bestNeed(node, leaf);
  if (!need) {
    attach(node, leaf);
    return;
  }
  const branch = branchOf(node, need.field);
  if (!('keys' in need)) {
    place(nodeAtWindow(branch, need), leaf);
    return;
  }
  const { keys } = need;
  for (let i = 0; i < keys.length; i++) {
    place(nodeAtKey(branch, keys[i] as ComparisonKey), i === 0 ? leaf : siblingOf(leaf));
  }
}

function attach<T>(node: TreeNode<T>, leaf: Leaf<T>): void {
  leaf.node = node;
  leaf.position = node.leaves.length;
  note(node, leaf);
  // Literals are as long as need be; a push onto an empty array reserves 17 places, and most nodes hold few.
  if (leaf.position === 0) [node.items, node.leaves] = [[leaf.item], [leaf]];
  else {
    node.items.push(leaf.item);
    node.leaves.push(leaf);
  }
  for (let at: TreeNode<T> | null = node; at !== null; at = ownerOf(at)) at.count += 1;
  if (node.branches === null && node.leaves.length > mostAskedOneByOne) branchOut(node);
}

/** Notes what the item needs beside what brings an event to the node. */
function note<T>(node: TreeNode<T>, { needs }: Leaf<T>): void {
  if (node.slot === null) return;
  const open = needs.filter(({ field }) => !isUsed(node, field));
  if (node.sieve === null) {
    if (open.length === 0) return;
    node.sieve = new Sieve();
    for (let i = 0; i < node.leaves.length; i++) node.sieve.push([]);
  }
  node.sieve.push(open);
}

/** Sorts the items asked one by one into branches, as far as fields tell them apart. */
function branchOut<T>(node: TreeNode<T>): void {
  const { leaves } = node;
  node.items = [];
  node.sieve = null;
  node.leaves = [];
  node.branches = [];
  for (let at: TreeNode<T> | null = node; at !== null; at = ownerOf(at)) at.count -= leaves.length;
  for (const leaf of leaves) place(node, leaf);
}

/** What by which the item will be asked least often for nothing. */
function bestNeed<T>(node: TreeNode<T>, { needs, siblings }: Leaf<T>): Need | null {
  const leafCount = siblings?.length ?? 1;
  let best: Need | null = null;
  let bestCost = Number.POSITIVE_INFINITY;
  for (const need of needs) {
    if ('keys' in need && leafCount + need.keys.length > mostLeavesPerItem) continue;
    if (isUsed(node, need.field)) continue;
    const cost = costOf(node, need);
    if (cost < bestCost) {
      best = need;
      bestCost = cost;
    }
  }
  return best;
}

/** Equalities go before windows, and closed windows before open ones. */
const windowCost = 1e12;
const openWindowCost = 2e12;

/** How many items an event that has it finds there, times how likely that is: one in all the field's values. */
function costOf<T>(node: TreeNode<T>, need: Need): number {
  const branch = findBranch(node, need.field);
  if ('keys' in need) {
    const found = branch?.byKey.get(need.keys[0] as ComparisonKey);
    const values = (branch?.byKey.size ?? 0) + (found ? 0 : 1);
    return (need.keys.length * ((found?.count ?? 0) + 1)) / values;
  }
  const isOpen = !Number.isFinite(need.min) || !Number.isFinite(need.max);
  return (isOpen ? openWindowCost : windowCost) - (branch?.byWindow?.size ?? 0);
}

/** True when a branch on the way to the node has told its items apart by this field. */
function isUsed<T>(node: TreeNode<T>, field: number): boolean {
  for (let { slot } = node; slot !== null; { slot } = slot.branch.owner) if (slot.branch.field === field) return true;
  return false;
}

function findBranch<T>({ branches }: TreeNode<T>, field: number): Branch<T> | undefined {
  return branches?.find((branch) => branch.field === field);
}

function branchOf<T>(node: TreeNode<T>, field: number): Branch<T> {
  const known = findBranch(node, field);
  if (known) return known;
  const branch: Branch<T> = { owner: node, field, byKey: new GradualMap(), byWindow: null };
  node.branches?.push(branch);
  return branch;
}

function nodeAtKey<T>(branch: Branch<T>, key: ComparisonKey): TreeNode<T> {
  const known = branch.byKey.get(key);
  if (known) return known;
  const node = newNode<T>({ branch, key });
  branch.byKey.set(key, node);
  return node;
}

function nodeAtWindow<T>(branch: Branch<T>, { min, max }: { min: number; max: number }): TreeNode<T> {
  branch.byWindow ??= new IntervalTree();
  const known = branch.byWindow.get(min, max);
  if (known) return known;
  const node = newNode<T>({ branch, min, max });
  branch.byWindow.add(min, max, node);
  return node;
}

function detach<T>({ node, position }: Leaf<T>): void {
  if (node === null) return;
  const lastItem = node.items.pop() as T;
  const lastLeaf = node.leaves.pop() as Leaf<T>;
  if (lastLeaf.position !== position) {
    node.items[position] = lastItem;
    node.leaves[position] = lastLeaf;
    lastLeaf.position = position;
  }
  node.sieve?.remove(position);
  for (let at: TreeNode<T> | null = node; at !== null; at = ownerOf(at)) {
    at.count -= 1;
    if (at.count === 0 && at.slot !== null) prune(at.slot);
  }
}

/** Takes an empty node off its branch, and the branch off its owner when that was the last. */
function prune<T>(slot: Slot<T>): void {
  const { branch } = slot;
  if ('key' in slot) branch.byKey.delete(slot.key);
  else branch.byWindow?.remove(slot.min, slot.max);
  if (branch.byKey.size > 0 || (branch.byWindow?.size ?? 0) > 0) return;
  const { branches } = branch.owner;
  branches?.splice(branches.indexOf(branch), 1);
}
