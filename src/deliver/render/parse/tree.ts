import type { Filter } from '../filters/filter.ts';
import type { ArithmeticOperator } from '../run/number.ts';
import type { ValueTest } from '../run/value-test.ts';
import type { Position } from '../template-error.ts';

/** A key known at save. */
export type StaticKey = string | number;

/** What `loop` answers inside `{% for %}`. */
export type LoopField = 'index' | 'index0' | 'revindex' | 'revindex0' | 'first' | 'last' | 'length';

export type ComparisonOperator = '==' | '===' | '!=' | '!==' | '<' | '>' | '<=' | '>=';

/**
 * The expressions of the language: closed. Chains (`a and b and c`, `a + b + c`, `x | f | g`) are one node each, so the
 * depth of the tree is the nesting a reader sees.
 */
export type Expression =
  | { readonly kind: 'literal'; readonly value: string | number | boolean | null }
  | { readonly kind: 'path'; readonly root: string; readonly keys: readonly StaticKey[] }
  | { readonly kind: 'variable'; readonly slot: number }
  | { readonly kind: 'loop'; readonly loop: number; readonly field: LoopField }
  | { readonly kind: 'member'; readonly target: Expression; readonly keys: readonly Expression[] }
  | { readonly kind: 'list'; readonly items: readonly Expression[] }
  | { readonly kind: 'not' | 'negate' | 'plus'; readonly operand: Expression }
  | { readonly kind: 'and' | 'or' | 'concat'; readonly operands: readonly Expression[] }
  | { readonly kind: 'arithmetic'; readonly operator: ArithmeticOperator; readonly operands: readonly Expression[] }
  | {
      readonly kind: 'compare';
      readonly operator: ComparisonOperator;
      readonly left: Expression;
      readonly right: Expression;
    }
  | { readonly kind: 'in'; readonly needle: Expression; readonly haystack: Expression }
  | {
      readonly kind: 'test';
      readonly test: ValueTest;
      readonly operand: Expression;
      readonly given: readonly Expression[];
    }
  | {
      readonly kind: 'choice';
      readonly condition: Expression;
      readonly yes: Expression;
      readonly no: Expression | null;
    }
  | { readonly kind: 'pipeline'; readonly input: Expression; readonly stages: readonly Stage[] };

/** One filter of a pipeline with its arguments in the order of its parameters; an omitted one is null. */
export type Stage = { readonly filter: Filter; readonly given: readonly (Expression | null)[] };

/** The statements of the language: closed. */
export type Statement = Text | Output | If | For | Assign;

export type Text = { readonly kind: 'text'; readonly text: string; readonly at: Position };

/** `{{ value }}`; `breaksLines` if it ends in `nl2br`. */
export type Output = {
  readonly kind: 'output';
  readonly value: Expression;
  readonly breaksLines: boolean;
  readonly at: Position;
};

export type If = {
  readonly kind: 'if';
  readonly branches: readonly { readonly condition: Expression; readonly body: readonly Statement[] }[];
  readonly otherwise: readonly Statement[];
  readonly at: Position;
};

/** `{% for a in source %}` or `{% for a, b in source %}`; `slots` are the variables that start empty at every entry. */
export type For = {
  readonly kind: 'for';
  readonly source: Expression;
  readonly targets: readonly number[];
  readonly loop: number;
  readonly slots: { readonly from: number; readonly to: number };
  readonly body: readonly Statement[];
  readonly otherwise: readonly Statement[];
  readonly at: Position;
};

export type Assign = {
  readonly kind: 'assign';
  readonly slot: number;
  readonly value: Expression;
  readonly at: Position;
};

/** A template that passed the allow-list. */
export type TemplateTree = {
  readonly body: readonly Statement[];
  /** Names of the variables by slot. */
  readonly variables: readonly string[];
  /** True if any name may stand for a field of the context (no roots were given). */
  readonly isOpen: boolean;
  readonly loops: number;
  /** What is read from the context, each once. */
  readonly paths: readonly (readonly string[])[];
};
