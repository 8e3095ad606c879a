/**
 * Finds, among very many items, those that an event can satisfy, by what each item needs to find in the event's fields.
 *
 * A node asks up to 16 items one by one. When there are more, it sorts those that can be told apart by a field into
 * branches: for each field a table from value to node, and a tree of windows to nodes. Each item goes where it will be
 * asked least often for nothing, so that a value which nearly all share (`status = open`) is left to the next level.
 * Fabret et al., Filtering algorithms and implementation for very fast publish/subscribe systems (SIGMOD 2001), call this
 * access predicates.
 *
 * Adding and removing touch one path of the tree; nothing is ever rebuilt.
 */
import { type ComparisonKey, comparisonKey } from '../model/compare-values.ts';
import type { Subject } from './condition.ts';
import { type FieldReader, fieldReader } from './field-reader.ts';
import { IntervalTree } from './interval-tree.ts';
import type { FieldAccess } from './narrow-access.ts';

/** Asking this many items costs about as much as a look-up per field. */
const mostAskedOneByOne = 16;
/** An item with lists of values stands in at most about this many nodes. */
const mostLeavesPerItem = 1_024;

/** Where an item stands in the tree; what `remove` takes. */
export type Placement<T> = {
  readonly item: T;
  readonly accesses: readonly FieldAccess[];
  /** The last of its leaves; each knows the one before. */
  lastLeaf: Leaf<T> | null;
  leafCount: number;
};

type Leaf<T> = {
  readonly placement: Placement<T>;
  node: TreeNode<T> | null;
  readonly previous: Leaf<T> | null;
  /** Where it stands in `items` and `leaves` of its node. */
  position: number;
};

type TreeNode<T> = {
  /** The items to ask here. Apart from the leaves, so that a search touches as little memory as can be. */
  items: T[];
  leaves: Leaf<T>[];
  /** Null until there are too many items to ask one by one. */
  branches: Branch<T>[] | null;
  /** Leaves here and below. */
  count: number;
  readonly slot: Slot<T> | null;
};

type Branch<T> = {
  readonly owner: TreeNode<T>;
  readonly segments: readonly string[];
  readonly read: FieldReader;
  readonly byKey: Map<ComparisonKey, TreeNode<T>>;
  /** Null until an item needs a window. */
  byWindow: IntervalTree<TreeNode<T>> | null;
};

/** Where a node hangs. */
type Slot<T> = { readonly branch: Branch<T> } & (
  | { readonly key: ComparisonKey }
  | { readonly min: number; readonly max: number }
);

export class PredicateTree<T> {
  readonly #root: TreeNode<T> = newNode(null);

  /** Adds an item that needs all of `accesses` (one per field); without any it is visited by every event. */
  add(item: T, accesses: readonly FieldAccess[]): Placement<T> {
    const placement: Placement<T> = { item, accesses, lastLeaf: null, leafCount: 0 };
    place(this.#root, newLeaf(placement));
    return placement;
  }

  remove(placement: Placement<T>): void {
    for (let leaf = placement.lastLeaf; leaf !== null; leaf = leaf.previous) detach(leaf);
    placement.lastLeaf = null;
    placement.leafCount = 0;
  }

  /** Calls `visit` once for every item the event may satisfy, and for some it does not. */
  visit(subject: Subject, visit: (item: T) => void): void {
    visitNode(this.#root, subject, visit);
  }
}

function newNode<T>(slot: Slot<T> | null): TreeNode<T> {
  return { items: [], leaves: [], branches: null, count: 0, slot };
}

function newLeaf<T>(placement: Placement<T>): Leaf<T> {
  const leaf: Leaf<T> = { placement, previous: placement.lastLeaf, node: null, position: 0 };
  placement.lastLeaf = leaf;
  placement.leafCount += 1;
  return leaf;
}

function ownerOf<T>(node: TreeNode<T>): TreeNode<T> | null {
  return node.slot === null ? null : node.slot.branch.owner;
}

function visitNode<T>(node: TreeNode<T>, subject: Subject, visit: (item: T) => void): void {
  const { items, branches } = node;
  for (let i = 0; i < items.length; i++) visit(items[i] as T);
  if (branches === null) return;
  for (const { read, byKey, byWindow } of branches) {
    const key = comparisonKey(read(subject));
    if (key === undefined) continue;
    const child = byKey.get(key);
    if (child) visitNode(child, subject, visit);
    if (byWindow !== null && typeof key === 'number') byWindow.visit(key, (found) => visitNode(found, subject, visit));
  }
}

/** Hangs a leaf at the node or below it; where its item is told apart by several values, more leaves at the others. */
function place<T>(node: TreeNode<T>, leaf: Leaf<T>): void {
  const { placement } = leaf;
  const access = node.branches && bestAccess(node, placement);
  if (!access) {
    attach(node, leaf);
    return;
  }
  const branch = branchOf(node, access);
  if (!('keys' in access)) {
    place(nodeAtWindow(branch, access), leaf);
    return;
  }
  for (const [index, key] of access.keys.entries()) {
    place(nodeAtKey(branch, key), index === 0 ? leaf : newLeaf(placement));
  }
}

function attach<T>(node: TreeNode<T>, leaf: Leaf<T>): void {
  leaf.node = node;
  leaf.position = node.leaves.length;
  // Literals are as long as need be; a push onto an empty array reserves 17 places, and most nodes hold few.
  if (leaf.position === 0) [node.items, node.leaves] = [[leaf.placement.item], [leaf]];
  else {
    node.items.push(leaf.placement.item);
    node.leaves.push(leaf);
  }
  for (let at: TreeNode<T> | null = node; at !== null; at = ownerOf(at)) at.count += 1;
  if (node.branches === null && node.leaves.length > mostAskedOneByOne) branchOut(node);
}

/** Sorts the items asked one by one into branches, as far as fields tell them apart. */
function branchOut<T>(node: TreeNode<T>): void {
  const { leaves } = node;
  node.items = [];
  node.leaves = [];
  node.branches = [];
  for (let at: TreeNode<T> | null = node; at !== null; at = ownerOf(at)) at.count -= leaves.length;
  for (const leaf of leaves) place(node, leaf);
}

/** The access by which the item will be asked least often for nothing. */
function bestAccess<T>(node: TreeNode<T>, { accesses, leafCount }: Placement<T>): FieldAccess | null {
  let best: FieldAccess | null = null;
  let bestCost = Number.POSITIVE_INFINITY;
  for (const access of accesses) {
    if ('keys' in access && leafCount + access.keys.length > mostLeavesPerItem) continue;
    if (isUsed(node, access.segments)) continue;
    const cost = accessCost(node, access);
    if (cost < bestCost) {
      best = access;
      bestCost = cost;
    }
  }
  return best;
}

/** Equalities go before windows, and closed windows before open ones. */
const windowCost = 1e12;
const openWindowCost = 2e12;

/** How many items an event that hits the access finds there, times how likely a hit is: one in all the field's values. */
function accessCost<T>(node: TreeNode<T>, access: FieldAccess): number {
  const branch = findBranch(node, access.segments);
  if ('keys' in access) {
    const found = branch?.byKey.get(access.keys[0] as ComparisonKey);
    const values = (branch?.byKey.size ?? 0) + (found ? 0 : 1);
    return (access.keys.length * ((found?.count ?? 0) + 1)) / values;
  }
  const isOpen = !Number.isFinite(access.min) || !Number.isFinite(access.max);
  return (isOpen ? openWindowCost : windowCost) - (branch?.byWindow?.size ?? 0);
}

/** True when a branch on the way to the node has told its items apart by this field. */
function isUsed<T>(node: TreeNode<T>, segments: readonly string[]): boolean {
  for (let { slot } = node; slot !== null; { slot } = slot.branch.owner) {
    if (isSamePath(slot.branch.segments, segments)) return true;
  }
  return false;
}

function isSamePath(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((segment, index) => segment === other[index]);
}

function findBranch<T>({ branches }: TreeNode<T>, segments: readonly string[]): Branch<T> | undefined {
  return branches?.find((branch) => isSamePath(branch.segments, segments));
}

function branchOf<T>(node: TreeNode<T>, { segments }: FieldAccess): Branch<T> {
  const known = findBranch(node, segments);
  if (known) return known;
  const read = fieldReader(segments);
  const branch: Branch<T> = { owner: node, segments, read, byKey: new Map(), byWindow: null };
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
