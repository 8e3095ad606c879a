import type { ComparisonKey } from '../model/compare-values.ts';

/** A chunk that holds more is split, one at a time. */
const fullChunk = 512;

/**
 * A map that grows without a pause. A `Map` of 100,000 entries moves all of them when it grows, and again when as many were
 * deleted: 10 ms and more. This one is a row of small maps, of which an addition splits one at most (Litwin, Linear hashing,
 * 1980): its entries are told apart by one more bit of their hash.
 */
export class GradualMap<Key extends ComparisonKey, Value> {
  readonly #chunks: Map<Key, Value>[] = [new Map()];
  /** So many chunks there were when the round of splits began; a power of two. */
  #round = 1;
  /** The chunk to be split next. */
  #next = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** So many entries the fullest chunk has: as many are moved at most when it is split or grows. */
  get largestChunk(): number {
    return Math.max(...this.#chunks.map(({ size }) => size));
  }

  get(key: Key): Value | undefined {
    return this.#chunkOf(key).get(key);
  }

  set(key: Key, value: Value): void {
    const chunk = this.#chunkOf(key);
    const sizeBefore = chunk.size;
    chunk.set(key, value);
    if (chunk.size === sizeBefore) return;
    this.#size += 1;
    if (this.#size > this.#chunks.length * fullChunk) this.#split();
  }

  delete(key: Key): void {
    if (this.#chunkOf(key).delete(key)) this.#size -= 1;
  }

  *keys(): Generator<Key> {
    for (const chunk of this.#chunks) yield* chunk.keys();
  }

  #chunkOf(key: Key): Map<Key, Value> {
    return this.#chunks[this.#chunks.length === 1 ? 0 : this.#addressOf(key)] as Map<Key, Value>;
  }

  #addressOf(key: Key): number {
    const hash = hashOf(key);
    const address = hash & (this.#round - 1);
    return address < this.#next ? hash & (2 * this.#round - 1) : address;
  }

  #split(): void {
    const entries = this.#chunks[this.#next] as Map<Key, Value>;
    this.#chunks[this.#next] = new Map();
    this.#chunks.push(new Map());
    this.#next += 1;
    if (this.#next === this.#round) {
      this.#round *= 2;
      this.#next = 0;
    }
    for (const [key, value] of entries) this.#chunkOf(key).set(key, value);
  }
}

const goldenRatio = 0x9e3779b1;
/** Of a longer text so many characters are looked at, from all over it. */
const sampledCharacters = 64;

/** Keys with one hash stay in one chunk, which is then as slow to grow as a `Map`, and as fast to read. */
function hashOf(key: ComparisonKey): number {
  if (typeof key === 'number') return spread(Math.imul(key, goldenRatio) ^ Math.imul(key * 2 ** 20, goldenRatio));
  if (typeof key !== 'string') return 0;
  let hash = key.length;
  const step = Math.ceil(key.length / sampledCharacters);
  for (let at = key.length - 1; at >= 0; at -= step) hash = Math.imul(hash ^ key.charCodeAt(at), goldenRatio);
  return spread(hash);
}

function spread(hash: number): number {
  return hash ^ (hash >>> 15);
}
