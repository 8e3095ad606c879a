import type { ComparisonOperator, Expression, LoopField, Stage, StaticKey } from '../parse/tree.ts';
import { isEqual, isIn, isSame, order } from './compare.ts';
import type { Meter } from './meter.ts';
import { type ArithmeticOperator, calculate, numericOf } from './number.ts';
import type { LoopState, Run } from './run.ts';
import { memberOf, textOf } from './value.ts';

/** Gives the value of an expression in a render. */
export type Evaluate = (run: Run) => unknown;

/** Turns an expression into a closure; no code is generated. Every closure takes a step before it works. */
export function buildExpression(node: Expression): Evaluate {
  switch (node.kind) {
    case 'literal':
      return constant(node.value);
    case 'path':
      return path(node.root, node.keys);
    case 'variable':
      return variable(node.slot);
    case 'loop':
      return loopField(node.loop, node.field);
    case 'member':
      return member(buildExpression(node.target), node.keys.map(buildExpression));
    case 'list':
      return list(node.items.map(buildExpression));
    case 'not':
    case 'negate':
    case 'plus':
      return unary(node.kind, buildExpression(node.operand));
    case 'and':
    case 'or':
      return junction(node.kind === 'and', node.operands.map(buildExpression));
    case 'concat':
      return concat(node.operands.map(buildExpression));
    case 'arithmetic':
      return arithmetic(node.operator, node.operands.map(buildExpression));
    case 'compare':
      return comparison(comparisons[node.operator], buildExpression(node.left), buildExpression(node.right));
    case 'in':
      return comparison(isIn, buildExpression(node.needle), buildExpression(node.haystack));
    case 'test':
      return comparison(node.test.holds, buildExpression(node.operand), argument(node.given[0] ?? null));
    case 'choice':
      return choice(buildExpression(node.condition), buildExpression(node.yes), argument(node.no));
    case 'pipeline':
      return pipeline(buildExpression(node.input), node.stages);
  }
}

function nothing(): undefined {
  return undefined;
}

function argument(node: Expression | null): Evaluate {
  return node ? buildExpression(node) : nothing;
}

function constant(value: unknown): Evaluate {
  return (run) => {
    run.meter.step();
    return value;
  };
}

function path(root: string, keys: readonly StaticKey[]): Evaluate {
  return (run) => {
    run.meter.step(1 + keys.length);
    return readPath(run.context, root, keys);
  };
}

/** Reads a field of the context by keys known at save. */
export function readPath(context: Record<string, unknown>, root: string, keys: readonly StaticKey[]): unknown {
  let value = memberOf(context, root);
  for (let index = 0; index < keys.length; index++) value = memberOf(value, keys[index]);
  return value;
}

function variable(slot: number): Evaluate {
  return (run) => {
    run.meter.step();
    return run.slots[slot];
  };
}

function loopField(loop: number, field: LoopField): Evaluate {
  return (run) => {
    run.meter.step();
    const state = run.loops[loop];
    return state && loopFields[field](state);
  };
}

const loopFields: Readonly<Record<LoopField, (state: LoopState) => unknown>> = {
  index: ({ index }) => index + 1,
  index0: ({ index }) => index,
  revindex: ({ index, length }) => length - index,
  revindex0: ({ index, length }) => length - index - 1,
  first: ({ index }) => index === 0,
  last: ({ index, length }) => index === length - 1,
  length: ({ length }) => length,
};

function member(target: Evaluate, keys: readonly Evaluate[]): Evaluate {
  return (run) => {
    let value = target(run);
    for (const evaluate of keys) {
      const key = evaluate(run);
      if (typeof key === 'string') run.meter.read(key.length);
      value = memberOf(value, key);
    }
    return value;
  };
}

function list(items: readonly Evaluate[]): Evaluate {
  return (run) => {
    run.meter.step(1 + items.length);
    return items.map((item) => item(run));
  };
}

function unary(kind: 'not' | 'negate' | 'plus', operand: Evaluate): Evaluate {
  return (run) => {
    run.meter.step();
    const value = operand(run);
    if (kind === 'not') return !value;
    return kind === 'plus' ? numericOf(value) : calculate('-', 0, value);
  };
}

/** As in JavaScript and nunjucks: the value of the operand that decides, not only true or false. */
function junction(isAnd: boolean, operands: readonly Evaluate[]): Evaluate {
  return (run) => {
    run.meter.step();
    let value: unknown;
    for (const operand of operands) {
      value = operand(run);
      if (Boolean(value) !== isAnd) break;
    }
    return value;
  };
}

function concat(operands: readonly Evaluate[]): Evaluate {
  return (run) => {
    let text = '';
    for (const operand of operands) {
      const piece = textOf(operand(run), run.meter);
      run.meter.build(text.length + piece.length);
      text += piece;
    }
    return text;
  };
}

function arithmetic(operator: ArithmeticOperator, operands: readonly Evaluate[]): Evaluate {
  const [first = nothing, ...rest] = operands;
  const apply = operator === '+' ? plus : (a: unknown, b: unknown) => calculate(operator, a, b);
  return (run) => {
    let value = first(run);
    for (const operand of rest) {
      run.meter.step();
      value = apply(value, operand(run), run.meter);
    }
    return value;
  };
}

/** As in JavaScript: adds numbers, joins if one side is text. */
function plus(a: unknown, b: unknown, meter: Meter): unknown {
  if (typeof a !== 'string' && typeof b !== 'string') return calculate('+', a, b);
  const [left, right] = [textOf(a, meter), textOf(b, meter)];
  meter.build(left.length + right.length);
  return left + right;
}

type Compare = (left: unknown, right: unknown, meter: Meter) => boolean;

const comparisons: Readonly<Record<ComparisonOperator, Compare>> = {
  '==': isEqual,
  '===': isSame,
  '!=': (left, right, meter) => !isEqual(left, right, meter),
  '!==': (left, right, meter) => !isSame(left, right, meter),
  '<': (left, right, meter) => (order(left, right, meter) ?? 0) < 0,
  '>': (left, right, meter) => (order(left, right, meter) ?? 0) > 0,
  '<=': (left, right, meter) => (order(left, right, meter) ?? 1) <= 0,
  '>=': (left, right, meter) => (order(left, right, meter) ?? -1) >= 0,
};

function comparison(compare: Compare, left: Evaluate, right: Evaluate): Evaluate {
  return (run) => {
    run.meter.step();
    return compare(left(run), right(run), run.meter);
  };
}

function choice(condition: Evaluate, yes: Evaluate, no: Evaluate): Evaluate {
  return (run) => {
    run.meter.step();
    return condition(run) ? yes(run) : no(run);
  };
}

function pipeline(input: Evaluate, stages: readonly Stage[]): Evaluate {
  const steps = stages.map(({ filter, given }) => ({ apply: filter.apply, given: given.map(argument) }));
  return (run) => {
    let value = input(run);
    for (const { apply, given } of steps) {
      run.meter.step();
      value = apply(
        value,
        given.map((evaluate) => evaluate(run)),
        run.meter,
      );
    }
    return value;
  };
}
