import type { ComparisonKey } from '../model/compare-values.ts';
import type { EventFields } from './event-fields.ts';

/** What an item needs to find in a field of the event, by the number of the field: one of some keys, or a key in a window. */
export type Need = { readonly field: number } & (
  | { readonly keys: readonly ComparisonKey[] }
  | { readonly min: number; readonly max: number }
);

/** Whether an event has what an item needs: no; for all that is noted; for certain. */
type Fit = 'lacking' | 'possible' | 'certain';

/**
 * What the items of a node need, beside what brings an event to the node: two needs per item, side by side in one array, so
 * that an item which the event cannot satisfy is passed over without touching the item and the conditions it is made of.
 */
export class Sieve {
  readonly #notes: (ComparisonKey | undefined)[] = [];

  /** Notes what the next item needs beside what brings an event to the node. */
  push(needs: readonly Need[]): void {
    const notes = this.#notes;
    const start = notes.length;
    notes.push(true, undefined, undefined, undefined, undefined, undefined, undefined);
    let at = start + 1;
    for (const need of needs) {
      const isNotable = at < start + itemSize && !('keys' in need && need.keys.length > 1);
      if (!isNotable) {
        notes[start] = false;
        continue;
      }
      notes[at] = need.field;
      notes[at + 1] = 'keys' in need ? need.keys[0] : need.min;
      notes[at + 2] = 'keys' in need ? undefined : need.max;
      at += needSize;
    }
  }

  /** Forgets an item; the last one takes its position. */
  remove(position: number): void {
    const notes = this.#notes;
    const start = position * itemSize;
    const last = notes.length - itemSize;
    for (let i = 0; i < itemSize; i++) notes[start + i] = notes[last + i];
    notes.length = last;
  }

  /** Whether the event that `fields` turned to has what the item at a position needs. */
  fit(position: number, fields: EventFields): Fit {
    const notes = this.#notes;
    const start = position * itemSize;
    let isCertain = notes[start] === true;
    for (let at = start + 1; at < start + itemSize; at += needSize) {
      const field = notes[at] as number | undefined;
      if (field === undefined) break;
      const { key, isAsWritten } = fields.read(field);
      const first = notes[at + 1];
      const highest = notes[at + 2] as number | undefined;
      if (highest === undefined) {
        if (key !== first) return 'lacking';
      } else {
        const lowest = first as number;
        if (!(typeof key === 'number' && key >= lowest && key <= highest)) return 'lacking';
        if (key === lowest || key === highest) isCertain = false;
      }
      if (!isAsWritten) isCertain = false;
    }
    return isCertain ? 'certain' : 'possible';
  }
}

const needsPerItem = 2;
/** The field; then the key and nothing, or both ends of the window. */
const needSize = 3;
/** First whether all that the item needs is noted. */
const itemSize = 1 + needsPerItem * needSize;
