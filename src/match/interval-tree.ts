/**
 * Windows of numbers with a value each, found by a number inside them: a B-tree ordered by the ends of the windows, in which
 * every entry of an inner block knows the highest upper end below it (Cormen et al., Introduction to Algorithms, interval
 * trees). Adding, removing and finding take logarithmic time, plus what is found. Open windows end at infinity.
 *
 * A block holds up to 64 entries, and what a search reads of them lies side by side: what a search costs is the memory it
 * touches, and a binary tree of as many windows would touch ten times as much.
 */
export class IntervalTree<T> {
  #root: Block<T> = newLeaf([], [], []);
  #size = 0;

  /** How many windows it holds. */
  get size(): number {
    return this.#size;
  }

  /** The value of exactly this window. */
  get(min: number, max: number): T | undefined {
    let block = this.#root;
    while (block.children !== null) block = block.children[Math.max(0, placeOf(block, min, max) - 1)] as Block<T>;
    const at = placeOf(block, min, max) - 1;
    return at >= 0 && block.lows[at] === min && block.highs[at] === max ? block.values[at] : undefined;
  }

  /** Adds a window that is not there yet. */
  add(min: number, max: number, value: T): void {
    const split = insert(this.#root, { min, max, value });
    if (split !== null) this.#root = newInner([this.#root, split]);
    this.#size += 1;
  }

  /** Removes a window that is there. */
  remove(min: number, max: number): void {
    removeFrom(this.#root, min, max);
    while (this.#root.children?.length === 1) this.#root = this.#root.children[0] as Block<T>;
    this.#size -= 1;
    if (this.#size === 0) this.#root = newLeaf([], [], []);
  }

  /** Calls `visit` with the value of every window that holds the number, and whether it lies between the ends. */
  visit(at: number, visit: (value: T, isBetween: boolean) => void): void {
    visitBlock(this.#root, at, visit);
  }
}

const mostEntries = 64;

type Block<T> = {
  /** Lower end per entry; of an inner block, that of the first window below the entry. */
  readonly lows: number[];
  /** Upper end per entry; of an inner block, that of the first window below the entry. */
  readonly highs: number[];
} & (
  | { readonly children: null; readonly values: T[]; readonly tops: null }
  /** The highest upper end below each entry. */
  | { readonly children: Block<T>[]; readonly values: null; readonly tops: number[] }
);

type Inner<T> = Extract<Block<T>, { tops: number[] }>;

function newLeaf<T>(lows: number[], highs: number[], values: T[]): Block<T> {
  return { lows, highs, children: null, values, tops: null };
}

function newInner<T>(children: Block<T>[]): Inner<T> {
  return {
    lows: children.map(({ lows }) => lows[0] as number),
    highs: children.map(({ highs }) => highs[0] as number),
    children,
    values: null,
    tops: children.map(topOf),
  };
}

function topOf<T>({ highs, tops }: Block<T>): number {
  let top = Number.NEGATIVE_INFINITY;
  for (const high of tops ?? highs) if (high > top) top = high;
  return top;
}

function visitBlock<T>(block: Block<T>, at: number, visit: (value: T, isBetween: boolean) => void): void {
  const { lows, highs, children, values, tops } = block;
  for (let i = 0; i < lows.length; i++) {
    const low = lows[i] as number;
    if (low > at) return;
    if (children !== null) {
      if ((tops[i] as number) >= at) visitBlock(children[i] as Block<T>, at, visit);
      continue;
    }
    const high = highs[i] as number;
    if (high >= at) visit(values[i] as T, low < at && at < high);
  }
}

/** How many entries stand before a window, itself included: ordered by lower end, then by upper end. */
function placeOf<T>({ lows, highs }: Block<T>, min: number, max: number): number {
  let [from, to] = [0, lows.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    const low = lows[middle] as number;
    if (low < min || (low === min && (highs[middle] as number) <= max)) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** Adds a window below the block. When that makes the block too long, its second half comes back as a block of its own. */
function insert<T>(block: Block<T>, window: { min: number; max: number; value: T }): Block<T> | null {
  const { min, max, value } = window;
  const place = placeOf(block, min, max);
  if (block.children === null) {
    block.lows.splice(place, 0, min);
    block.highs.splice(place, 0, max);
    block.values.splice(place, 0, value);
    return block.values.length <= mostEntries ? null : splitLeaf(block);
  }
  const at = Math.max(0, place - 1);
  const split = insert(block.children[at] as Block<T>, window);
  refresh(block, at);
  if (split === null) return null;
  block.lows.splice(at + 1, 0, 0);
  block.highs.splice(at + 1, 0, 0);
  block.tops.splice(at + 1, 0, 0);
  block.children.splice(at + 1, 0, split);
  refresh(block, at + 1);
  return block.children.length <= mostEntries ? null : splitInner(block);
}

function splitLeaf<T>({ lows, highs, values }: Extract<Block<T>, { values: T[] }>): Block<T> {
  const half = values.length >>> 1;
  return newLeaf(lows.splice(half), highs.splice(half), values.splice(half));
}

function splitInner<T>({ lows, highs, children, tops }: Inner<T>): Block<T> {
  const half = children.length >>> 1;
  return {
    lows: lows.splice(half),
    highs: highs.splice(half),
    children: children.splice(half),
    values: null,
    tops: tops.splice(half),
  };
}

/** Blocks that come empty are taken off; others stay as they are, however short. */
function removeFrom<T>(block: Block<T>, min: number, max: number): void {
  const at = Math.max(0, placeOf(block, min, max) - 1);
  const child = block.children?.[at];
  if (child) removeFrom(child, min, max);
  if (child && child.lows.length > 0) refresh(block as Inner<T>, at);
  else
    for (const entries of [block.lows, block.highs, block.children ?? block.values, block.tops]) entries?.splice(at, 1);
}

/** Measures what lies below an entry anew. */
function refresh<T>({ lows, highs, children, tops }: Inner<T>, at: number): void {
  const child = children[at] as Block<T>;
  lows[at] = child.lows[0] as number;
  highs[at] = child.highs[0] as number;
  tops[at] = topOf(child);
}
