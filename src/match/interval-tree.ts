/**
 * Windows of numbers with a value each, found by a number inside them: a binary search tree over the lower ends in which
 * every node knows the highest upper end below it (Cormen et al., Introduction to Algorithms, interval trees), balanced by
 * random priorities (Seidel and Aragon, Randomized Search Trees, 1996). Adding, removing and finding take logarithmic time,
 * plus what is found. Open windows end at infinity.
 *
 * Nodes are numbers, and what a search reads of them lies side by side in typed arrays: an object per node, with a boxed
 * number per end, would touch several times the memory. Node 0 stands for none.
 */
export class IntervalTree<T> {
  /** Per node: lower end, upper end, and the highest upper end of the node and all below it. */
  #ends = new Float64Array(firstCapacity * endsPerNode);
  /** Per node: the node before, and the one after. */
  #links = new Uint32Array(firstCapacity * linksPerNode);
  #priorities = new Int32Array(firstCapacity);
  readonly #values: (T | undefined)[] = [undefined];
  readonly #free: number[] = [];
  #root = 0;
  #size = 0;
  #seed = 1;

  constructor() {
    this.#ends[highest] = Number.NEGATIVE_INFINITY;
  }

  /** How many windows it holds. */
  get size(): number {
    return this.#size;
  }

  /** The value of exactly this window. */
  get(min: number, max: number): T | undefined {
    let node = this.#root;
    while (node !== 0) {
      const order = this.#compare(min, max, node);
      if (order === 0) return this.#values[node];
      node = this.#links[node * linksPerNode + (order < 0 ? before : after)] as number;
    }
    return undefined;
  }

  /** Adds a window that is not there yet. */
  add(min: number, max: number, value: T): void {
    const node = this.#newNode(min, max, value);
    this.#root = this.#insert(this.#root, node);
    this.#size += 1;
  }

  /** Removes a window that is there. */
  remove(min: number, max: number): void {
    this.#root = this.#remove(this.#root, min, max);
    this.#size -= 1;
  }

  /** Calls `visit` with the value of every window that holds the number, ends included. */
  visit(at: number, visit: (value: T) => void): void {
    this.#visitBelow(this.#root, at, visit);
  }

  #visitBelow(from: number, at: number, visit: (value: T) => void): void {
    const ends = this.#ends;
    const links = this.#links;
    let node = from;
    while (node !== 0 && (ends[node * endsPerNode + highest] as number) >= at) {
      this.#visitBelow(links[node * linksPerNode + before] as number, at, visit);
      if ((ends[node * endsPerNode] as number) > at) return;
      if ((ends[node * endsPerNode + upper] as number) >= at) visit(this.#values[node] as T);
      node = links[node * linksPerNode + after] as number;
    }
  }

  #newNode(min: number, max: number, value: T): number {
    const node = this.#free.pop() ?? this.#values.length;
    if (node * endsPerNode >= this.#ends.length) this.#grow();
    this.#values[node] = value;
    this.#ends.set([min, max, max], node * endsPerNode);
    this.#links.fill(0, node * linksPerNode, (node + 1) * linksPerNode);
    // Pseudo-random (xorshift32), so that the same changes make the same tree.
    this.#seed ^= this.#seed << 13;
    this.#seed ^= this.#seed >>> 17;
    this.#seed ^= this.#seed << 5;
    this.#priorities[node] = this.#seed;
    return node;
  }

  #grow(): void {
    const [ends, links, priorities] = [this.#ends, this.#links, this.#priorities];
    this.#ends = new Float64Array(ends.length * growth);
    this.#links = new Uint32Array(links.length * growth);
    this.#priorities = new Int32Array(priorities.length * growth);
    this.#ends.set(ends);
    this.#links.set(links);
    this.#priorities.set(priorities);
  }

  #compare(min: number, max: number, node: number): number {
    const nodeMin = this.#ends[node * endsPerNode] as number;
    if (min !== nodeMin) return min < nodeMin ? -1 : 1;
    const nodeMax = this.#ends[node * endsPerNode + upper] as number;
    return max === nodeMax ? 0 : max < nodeMax ? -1 : 1;
  }

  /** True when the first window stands before the second. */
  #precedes(node: number, other: number): boolean {
    return (
      this.#compare(this.#ends[node * endsPerNode] as number, this.#ends[node * endsPerNode + upper] as number, other) <
      0
    );
  }

  #insert(at: number, node: number): number {
    if (at === 0) return node;
    if ((this.#priorities[node] as number) > (this.#priorities[at] as number)) {
      const [left, right] = this.#split(at, node);
      return this.#link(node, left, right);
    }
    const left = this.#links[at * linksPerNode + before] as number;
    const right = this.#links[at * linksPerNode + after] as number;
    return this.#precedes(node, at)
      ? this.#link(at, this.#insert(left, node), right)
      : this.#link(at, left, this.#insert(right, node));
  }

  /** The nodes before and after a node that is not among them. */
  #split(at: number, by: number): [number, number] {
    if (at === 0) return [0, 0];
    const left = this.#links[at * linksPerNode + before] as number;
    const right = this.#links[at * linksPerNode + after] as number;
    if (this.#precedes(by, at)) {
      const [less, greater] = this.#split(left, by);
      return [less, this.#link(at, greater, right)];
    }
    const [less, greater] = this.#split(right, by);
    return [this.#link(at, left, less), greater];
  }

  #remove(at: number, min: number, max: number): number {
    if (at === 0) return 0;
    const left = this.#links[at * linksPerNode + before] as number;
    const right = this.#links[at * linksPerNode + after] as number;
    const order = this.#compare(min, max, at);
    if (order === 0) {
      this.#values[at] = undefined;
      this.#free.push(at);
      return this.#join(left, right);
    }
    return order < 0
      ? this.#link(at, this.#remove(left, min, max), right)
      : this.#link(at, left, this.#remove(right, min, max));
  }

  #join(left: number, right: number): number {
    if (left === 0 || right === 0) return left + right;
    if ((this.#priorities[left] as number) > (this.#priorities[right] as number)) {
      const [outer, inner] = [this.#links[left * linksPerNode + before], this.#links[left * linksPerNode + after]];
      return this.#link(left, outer as number, this.#join(inner as number, right));
    }
    const [inner, outer] = [this.#links[right * linksPerNode + before], this.#links[right * linksPerNode + after]];
    return this.#link(right, this.#join(left, inner as number), outer as number);
  }

  /** Hangs both sides below the node and measures it. */
  #link(node: number, left: number, right: number): number {
    this.#links[node * linksPerNode + before] = left;
    this.#links[node * linksPerNode + after] = right;
    this.#ends[node * endsPerNode + highest] = Math.max(
      this.#ends[node * endsPerNode + upper] as number,
      this.#ends[left * endsPerNode + highest] as number,
      this.#ends[right * endsPerNode + highest] as number,
    );
    return node;
  }
}

const firstCapacity = 16;
const growth = 2;

/** The lower end comes first. */
const endsPerNode = 3;
const upper = 1;
const highest = 2;

const linksPerNode = 2;
const before = 0;
const after = 1;
