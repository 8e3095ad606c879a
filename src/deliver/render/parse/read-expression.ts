import { unknownWord } from '../../../errors.ts';
import type { ArithmeticOperator } from '../run/number.ts';
import { valueTests } from '../run/value-test.ts';
import { legible, TemplateFault } from '../template-error.ts';
import { readLookup, readName } from './read-lookup.ts';
import { readPipeline } from './read-pipeline.ts';
import { countNode, type Reader, refuseNode } from './reader.ts';
import { childOf, childrenOf, fieldOf, optionalChildOf, positionOf, type SyntaxNode } from './syntax-node.ts';
import type { ComparisonOperator, Expression } from './tree.ts';

const arithmetic: Readonly<Record<string, ArithmeticOperator>> = {
  Add: '+',
  Sub: '-',
  Mul: '*',
  Div: '/',
  FloorDiv: '//',
  Mod: '%',
  Pow: '**',
};

/** Turns an expression of nunjucks' tree into ours; refuses every node that is not named here. */
export function readExpression(reader: Reader, node: SyntaxNode, depth: number): Expression {
  countNode(reader, node, depth);
  switch (node.typename) {
    case 'Literal':
      return readLiteral(node);
    case 'Symbol':
      return readName(reader, node);
    case 'LookupVal':
      return readLookup(reader, node, depth);
    case 'Filter':
      return readPipeline(reader, node, depth);
    case 'Group':
      return readGroup(reader, node, depth);
    case 'Array':
      return { kind: 'list', items: readAll(reader, childrenOf(node), depth) };
    case 'Not':
      return readUnary(reader, node, 'not', depth);
    case 'Neg':
      return readUnary(reader, node, 'negate', depth);
    case 'Pos':
      return readUnary(reader, node, 'plus', depth);
    case 'And':
      return { kind: 'and', operands: readChain(reader, node, depth) };
    case 'Or':
      return { kind: 'or', operands: readChain(reader, node, depth) };
    case 'Concat':
      return { kind: 'concat', operands: readChain(reader, node, depth) };
    case 'Compare':
      return readComparison(reader, node, depth);
    case 'In':
      return {
        kind: 'in',
        needle: reader.expression(childOf(node, 'left'), depth + 1),
        haystack: reader.expression(childOf(node, 'right'), depth + 1),
      };
    case 'Is':
      return readTest(reader, node, depth);
    case 'InlineIf':
      return readChoice(reader, node, depth);
    default: {
      const operator = Object.hasOwn(arithmetic, node.typename) ? arithmetic[node.typename] : undefined;
      if (!operator) throw refuseNode(node);
      return { kind: 'arithmetic', operator, operands: readChain(reader, node, depth) };
    }
  }
}

/** Reads several expressions one level deeper. */
function readAll(reader: Reader, nodes: readonly SyntaxNode[], depth: number): readonly Expression[] {
  return nodes.map((node) => reader.expression(node, depth + 1));
}

function readLiteral(node: SyntaxNode): Expression {
  const value = fieldOf(node, 'value');
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return { kind: 'literal', value };
  if (typeof value === 'number' && Number.isFinite(value)) return { kind: 'literal', value };
  throw new TemplateFault(
    'forbidden_syntax',
    'this literal is not allowed: write text, a number, true, false or none',
    positionOf(node),
  );
}

function readGroup(reader: Reader, node: SyntaxNode, depth: number): Expression {
  const [inner, second] = childrenOf(node);
  if (inner && !second) return reader.expression(inner, depth + 1);
  throw new TemplateFault(
    'syntax',
    'parentheses hold exactly one expression; a list is written [a, b]',
    positionOf(node),
  );
}

function readUnary(reader: Reader, node: SyntaxNode, kind: 'not' | 'negate' | 'plus', depth: number): Expression {
  return { kind, operand: reader.expression(childOf(node, 'target'), depth + 1) };
}

/** The operands of `a + b + c`, which the parser nests to the left, as one list. */
function readChain(reader: Reader, node: SyntaxNode, depth: number): readonly Expression[] {
  const operands: SyntaxNode[] = [];
  let left = node;
  while (left.typename === node.typename) {
    countNode(reader, left, depth);
    operands.push(childOf(left, 'right'));
    left = childOf(left, 'left');
  }
  operands.push(left);
  return readAll(reader, operands.reverse(), depth);
}

const comparisons: ReadonlySet<string> = new Set(['==', '===', '!=', '!==', '<', '>', '<=', '>=']);

function readComparison(reader: Reader, node: SyntaxNode, depth: number): Expression {
  const [operand, second] = childrenOf(node, 'ops');
  const operator = operand && fieldOf(operand, 'type');
  if (!operand || !isComparison(operator)) throw refuseNode(node);
  if (second) {
    throw new TemplateFault('syntax', 'one comparison at a time: write a < b and b < c', positionOf(second));
  }
  return {
    kind: 'compare',
    operator,
    left: reader.expression(childOf(node, 'expr'), depth + 1),
    right: reader.expression(childOf(operand, 'expr'), depth + 1),
  };
}

function isComparison(operator: unknown): operator is ComparisonOperator {
  return typeof operator === 'string' && comparisons.has(operator);
}

function readChoice(reader: Reader, node: SyntaxNode, depth: number): Expression {
  const no = optionalChildOf(node, 'else_');
  return {
    kind: 'choice',
    condition: reader.expression(childOf(node, 'cond'), depth + 1),
    yes: reader.expression(childOf(node, 'body'), depth + 1),
    no: no ? reader.expression(no, depth + 1) : null,
  };
}

/** `value is name` and `value is name(argument)`: the only place where the parser's FunCall node is read. */
function readTest(reader: Reader, node: SyntaxNode, depth: number): Expression {
  const right = childOf(node, 'right');
  const isCall = right.typename === 'FunCall';
  const nameNode = isCall ? childOf(right, 'name') : right;
  const isNone = nameNode.typename === 'Literal' && fieldOf(nameNode, 'value') === null;
  const name = nameNode.typename === 'Symbol' ? fieldOf(nameNode, 'value') : isNone ? 'none' : undefined;
  const written = typeof name === 'string' ? name : nameNode.typename;
  const test = valueTests.get(written);
  if (!test) {
    const { message } = unknownWord({
      path: '',
      kind: 'test',
      written: legible(written),
      allowed: [...valueTests.keys()],
    });
    throw new TemplateFault('unknown_test', message, positionOf(nameNode));
  }
  const given = isCall ? childrenOf(childOf(right, 'args')) : [];
  if (given.length !== test.takes) {
    const count = test.takes === 0 ? 'no argument' : 'one argument';
    throw new TemplateFault('bad_argument', `the test ${written} takes ${count}`, positionOf(nameNode));
  }
  const operand = reader.expression(childOf(node, 'left'), depth + 1);
  return { kind: 'test', test, operand, given: readAll(reader, given, depth) };
}
