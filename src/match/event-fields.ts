import { type ComparisonKey, comparisonKey } from '../model/compare-values.ts';
import type { Subject } from './condition.ts';
import { type FieldReader, fieldReader } from './field-reader.ts';
import type { FieldAccess } from './narrow-access.ts';

/**
 * The fields by which items of an index are told apart, as numbers from 0, and what the event at hand holds in them. A field
 * is read once per event, however many items ask for it, and not at all when none does.
 */
export class EventFields {
  readonly #numbers = new Map<string, number>();
  readonly #fields: Field[] = [];
  /** Numbers that stand for no field any more. */
  readonly #free: number[] = [];
  /** The event at hand; a field read for an earlier one is stale. */
  #turn = 0;
  #subject: Subject | null = null;

  /** The number of a field. It stays that of the field until it was given back as often as it was taken. */
  take({ path, segments }: Pick<FieldAccess, 'path' | 'segments'>): number {
    const number = this.#numbers.get(path) ?? this.#free.pop() ?? this.#fields.length;
    const known = this.#fields[number];
    if (known?.path === path) known.takers += 1;
    else {
      const read = fieldReader(segments);
      this.#fields[number] = { path, read, takers: 1, turn: 0, key: undefined, isAsWritten: false };
      this.#numbers.set(path, number);
    }
    return number;
  }

  giveBack(number: number): void {
    const field = this.#fields[number] as Field;
    field.takers -= 1;
    if (field.takers > 0) return;
    this.#numbers.delete(field.path);
    field.path = '';
    this.#free.push(number);
  }

  /** Takes up an event. */
  turnTo(subject: Subject): void {
    this.#subject = subject;
    this.#turn += 1;
  }

  /** Done with the event, which may be large. */
  letGo(): void {
    this.#subject = null;
  }

  /** What the event holds in a field. */
  read(number: number): FieldContent {
    const field = this.#fields[number] as Field;
    if (field.turn !== this.#turn) {
      const value = field.read(this.#subject as Subject);
      field.key = comparisonKey(value);
      field.isAsWritten = field.key === value;
      field.turn = this.#turn;
    }
    return field;
  }
}

/** What an event holds in a field. */
type FieldContent = {
  /** What it is looked up by; undefined when it is not there, or cannot be looked up. */
  readonly key: ComparisonKey | undefined;
  /** True when the key is the value, and not merely what different values have in common. */
  readonly isAsWritten: boolean;
};

type Field = {
  path: string;
  readonly read: FieldReader;
  takers: number;
  turn: number;
  key: ComparisonKey | undefined;
  isAsWritten: boolean;
};
