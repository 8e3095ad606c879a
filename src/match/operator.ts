import type { FieldType } from '../model/entity-type.ts';
import type { Json } from '../model/json.ts';
import type { AccessPredicate, Subject } from './condition.ts';
import type { FieldReader } from './field-reader.ts';

/** What an operator says: true, false, or that it cannot be decided. */
export type Decision = boolean | 'error';

/**
 * A decision for one right side: `right` as prepared, and a function for right sides of its kind. The function is the same
 * for all conditions, so that it stays in the processor's cache however many there are.
 */
export type FixedDecision = {
  readonly right: unknown;
  readonly decide: (left: Json | undefined, right: never) => Decision;
};

/** Which values an operator compares with: any and null, those that have an order, texts, or what a list may hold. */
export type Comparable = 'any' | 'ordered' | 'text' | 'element';

/** What stands on the right side of an operator in a definition. */
export type Operand =
  | { readonly kind: 'value' | 'list'; readonly takes: Comparable }
  /** The lowest and the highest value. */
  | { readonly kind: 'pair'; readonly takes: 'ordered' }
  /** A regular expression (RE2 syntax). */
  | { readonly kind: 'pattern' };

/** Compares the field with a value, or with another field. */
export type BinaryOperator = {
  readonly kind: 'binary';
  readonly name: string;
  readonly operand: Operand;
  /** Types of fields it may be asked of. */
  readonly types: readonly FieldType[];
  /** True when the right side may be another field. */
  readonly allowsField: boolean;
  /** Makes the right side ready for a left side in lower case; absent when case plays no role. */
  readonly foldCase?: (right: Json) => Json;
  /** The decision; `error` when the left side is not there. Null is a value. */
  readonly decide: (left: Json | undefined, right: Json) => Decision;
  /** The same decision for a right side known beforehand, where it can be prepared. `share` is what it may look through. */
  readonly fixed?: (right: Json, share: number) => FixedDecision;
  /** True when it looks through all that the left side holds. */
  readonly searches?: boolean;
  /** What the index may look for: without it the decision is never true. */
  readonly access?: (segments: readonly string[], right: Json) => AccessPredicate | null;
  /** Whether, for this right side, `access` is all there is to it, as `CompiledCondition.isDecidedByAccess` says. */
  readonly isDecidedByAccess?: (right: Json) => boolean;
};

/** Asks only whether and what the field is. */
export type PresenceOperator = {
  readonly kind: 'presence';
  readonly name: string;
  readonly types: readonly FieldType[];
  readonly decide: (left: Json | undefined) => boolean;
};

/** What a change operator looks at. */
export type ChangeSides = {
  readonly before: FieldReader;
  readonly after: FieldReader;
  /** The column, when the field is one and not something below it. */
  readonly column: string | null;
  /** The value it must have had; undefined: any. */
  readonly from: Json | undefined;
  /** The value it must have now; undefined: any. */
  readonly to: Json | undefined;
};

/** Compares the record with itself before the update. */
export type ChangeOperator = {
  readonly kind: 'change';
  readonly name: string;
  readonly types: readonly FieldType[];
  /** The settings that give the value before and the value after, if it takes them. */
  readonly from: 'from' | 'value' | null;
  readonly to: 'to' | 'value' | null;
  readonly compile: (sides: ChangeSides) => (subject: Subject) => Decision;
};

export type Operator = BinaryOperator | PresenceOperator | ChangeOperator;
