/**
 * Operators that look into a text, `contains` also into a list. A field that is not there, or is neither, is an error; null
 * contains nothing. `matches` looks for a regular expression anywhere in the text, in time linear in its length (RE2).
 */
import { RE2JS } from 're2js';
import type { FieldType } from '../../model/entity-type.ts';
import type { Json } from '../../model/json.ts';
import type { BinaryOperator, Decision } from '../operator.ts';
import { isMember, lowerCase } from './equality.ts';

const textTypes: readonly FieldType[] = ['text', 'json', 'other'];
const containerTypes: readonly FieldType[] = [...textTypes, 'array'];

const contains: BinaryOperator = {
  kind: 'binary',
  name: 'contains',
  operand: { kind: 'value', takes: 'element' },
  types: containerTypes,
  allowsField: true,
  searches: true,
  foldCase: lowerCase,
  decide: isInside,
};

const notContains: BinaryOperator = {
  ...contains,
  name: 'not_contains',
  decide: (left, right) => {
    const inside = isInside(left, right);
    return inside === 'error' ? inside : !inside;
  },
};

const startswith: BinaryOperator = {
  ...contains,
  name: 'startswith',
  operand: { kind: 'value', takes: 'text' },
  types: textTypes,
  searches: false,
  decide: (left, right) => {
    if (typeof left === 'string' && typeof right === 'string') return left.startsWith(right);
    return left === null || right === null ? false : 'error';
  },
};

const endswith: BinaryOperator = {
  ...startswith,
  name: 'endswith',
  decide: (left, right) => {
    if (typeof left === 'string' && typeof right === 'string') return left.endsWith(right);
    return left === null || right === null ? false : 'error';
  },
};

type Pattern = {
  readonly compiled: RE2JS;
  /** Time is pattern times text: longer texts are an error. */
  readonly longestText: number;
  /** Characters since the last reset. */
  scanned: number;
};

const matches: BinaryOperator = {
  kind: 'binary',
  name: 'matches',
  operand: { kind: 'pattern' },
  types: textTypes,
  allowsField: false,
  foldCase: (right) => `(?i)${right as string}`,
  decide: () => 'error',
  fixed: (right, share) => {
    const compiled = RE2JS.compile(right as string);
    const steps = Math.min(mostSteps, share / perStep);
    const pattern: Pattern = { compiled, longestText: steps / compiled.programSize(), scanned: 0 };
    return { right: pattern, decide: isFound };
  },
};

/** `contains`, `not_contains`, `startswith`, `endswith`, `matches`. */
export const textOperators: readonly BinaryOperator[] = [contains, notContains, startswith, endswith, matches];

const longestPattern = 500;
const largestProgram = 500;
/** At worst 30 ms for this much of pattern times text. */
const mostSteps = 1_000_000;
/** Characters of a share that a step costs as much as. */
const perStep = 25;
/** A hostile pattern makes the matcher remember a state for each character it saw. */
const scannedBetweenResets = 20_000;

/** What is wrong with a regular expression, if it does not compile or is too big; null when it may be stored. */
export function patternProblem(pattern: string): string | null {
  if (pattern.length > longestPattern) return `is longer than ${longestPattern} characters`;
  try {
    const isTooBig = RE2JS.compile(pattern).programSize() > largestProgram;
    return isTooBig ? 'repeats too much: use smaller counts' : null;
  } catch (error) {
    return `is not a regular expression (RE2 syntax): ${error instanceof Error ? error.message : String(error)}`;
  }
}

function isInside(left: Json | undefined, right: Json): Decision {
  if (typeof left === 'string' && typeof right === 'string') return left.includes(right);
  if (left === null || right === null) return false;
  return Array.isArray(left) ? isMember(right, left) : 'error';
}

function isFound(left: Json | undefined, pattern: Pattern): Decision {
  if (left === null) return false;
  if (typeof left !== 'string' || left.length > pattern.longestText) return 'error';
  pattern.scanned += left.length;
  if (pattern.scanned > scannedBetweenResets) {
    pattern.compiled.reset();
    pattern.scanned = left.length;
  }
  return pattern.compiled.test(left);
}
