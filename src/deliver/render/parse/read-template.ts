import { limits } from '../limits.ts';
import type { SinkName } from '../sinks/sink.ts';
import { TemplateFault } from '../template-error.ts';
import { parseSource } from './parse-source.ts';
import { readExpression } from './read-expression.ts';
import { underLineBreaks } from './read-pipeline.ts';
import { countNode, type Reader, refuseNode } from './reader.ts';
import { checkName, Scope } from './scope.ts';
import { childOf, childrenOf, fieldOf, optionalChildOf, positionOf, type SyntaxNode } from './syntax-node.ts';
import type { Assign, For, If, Output, Statement, TemplateTree, Text } from './tree.ts';

/** Reads template source into our own closed tree; throws a TemplateFault with line and column for what is not allowed. */
export function readTemplate(
  source: string,
  options: { sink: SinkName; roots?: readonly string[] | undefined },
): TemplateTree {
  const scope = new Scope(options.roots);
  const reader: Reader = {
    scope,
    sink: options.sink,
    budget: { nodes: limits.nodes },
    expression: (node, depth) => readExpression(reader, node, depth),
  };
  const body = readBody(reader, parseSource(source), 0);
  return { body, variables: scope.variables, isOpen: !options.roots, loops: scope.loops, paths: scope.paths };
}

function readBody(reader: Reader, nodes: readonly SyntaxNode[], depth: number): readonly Statement[] {
  return nodes.flatMap((node) => readStatement(reader, node, depth + 1));
}

function readStatement(reader: Reader, node: SyntaxNode, depth: number): Statement | readonly Statement[] {
  countNode(reader, node, depth);
  switch (node.typename) {
    case 'Output':
      return childrenOf(node).map((child) => readOutput(reader, { node, child }, depth));
    case 'If':
      return readIf(reader, node, depth);
    case 'For':
      return readFor(reader, node, depth);
    case 'Set':
      return readAssign(reader, node, depth);
    default:
      throw refuseNode(node);
  }
}

function readOutput(
  reader: Reader,
  { node, child }: { node: SyntaxNode; child: SyntaxNode },
  depth: number,
): Text | Output {
  const at = positionOf(node);
  if (child.typename === 'TemplateData') return { kind: 'text', text: String(fieldOf(child, 'value')), at };
  const underneath = underLineBreaks(child);
  if (underneath && reader.sink !== 'html') {
    throw new TemplateFault('bad_argument', 'nl2br makes HTML: it is only for html templates', at);
  }
  const value = reader.expression(underneath ?? child, depth + 1);
  return { kind: 'output', value, breaksLines: underneath !== undefined, at };
}

/** `if`, and every `elif`, which the parser nests in the else part, as one node. */
function readIf(reader: Reader, node: SyntaxNode, depth: number): If {
  const branches: { condition: If['branches'][number]['condition']; body: readonly Statement[] }[] = [];
  let current: SyntaxNode | undefined = node;
  while (current?.typename === 'If') {
    countNode(reader, current, depth);
    const condition = reader.expression(childOf(current, 'cond'), depth + 1);
    branches.push({ condition, body: readBody(reader, childrenOf(childOf(current, 'body')), depth) });
    current = optionalChildOf(current, 'else_');
  }
  const otherwise = current ? readBody(reader, childrenOf(current), depth) : [];
  return { kind: 'if', branches, otherwise, at: positionOf(node) };
}

function readFor(reader: Reader, node: SyntaxNode, depth: number): For {
  const { scope } = reader;
  const source = reader.expression(childOf(node, 'arr'), depth + 1);
  const nameNode = childOf(node, 'name');
  const names = nameNode.typename === 'Array' ? childrenOf(nameNode) : [nameNode];
  if (names.length > 2) {
    throw new TemplateFault('syntax', 'a loop has one variable, or two for key and value', positionOf(nameNode));
  }
  const from = scope.variables.length;
  const loop = scope.openLoop();
  const targets = names.map((name) => scope.declare(nameOf(name), positionOf(name)));
  const body = readBody(reader, childrenOf(childOf(node, 'body')), depth);
  scope.closeLoop();
  const slots = { from, to: scope.variables.length };
  const otherwiseNode = optionalChildOf(node, 'else_');
  const otherwise = otherwiseNode ? readBody(reader, childrenOf(otherwiseNode), depth) : [];
  return { kind: 'for', source, targets, loop, slots, body, otherwise, at: positionOf(node) };
}

function readAssign(reader: Reader, node: SyntaxNode, depth: number): Assign {
  const [target, second] = childrenOf(node, 'targets');
  const valueNode = optionalChildOf(node, 'value');
  if (!target || second)
    throw new TemplateFault('syntax', 'set names one variable: {% set name = value %}', positionOf(node));
  if (!valueNode) {
    const hint = 'write {% set name = value %}; blocks of text cannot be captured';
    throw new TemplateFault('forbidden_syntax', `a set block is not allowed: ${hint}`, positionOf(node));
  }
  const name = nameOf(target);
  const value = reader.expression(valueNode, depth + 1);
  return { kind: 'assign', slot: reader.scope.assign(name, positionOf(target)), value, at: positionOf(node) };
}

function nameOf(node: SyntaxNode): string {
  if (node.typename !== 'Symbol')
    throw new TemplateFault('syntax', 'a variable name is expected here', positionOf(node));
  return checkName(fieldOf(node, 'value'), positionOf(node));
}
