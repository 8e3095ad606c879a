import { type Position, TemplateFault } from '../template-error.ts';

/** A node as nunjucks' parser gives it. Nothing about it is trusted: every field is read through the functions below. */
export type SyntaxNode = { readonly typename: string; readonly lineno: number; readonly colno: number };

/** Where a node stands in the source. */
export function positionOf(node: SyntaxNode): Position {
  const isPlaced = Number.isInteger(node.lineno) && Number.isInteger(node.colno);
  return isPlaced ? { line: node.lineno + 1, column: node.colno + 1 } : { line: 1, column: 1 };
}

/** A field that must hold a node; what the tolerant parser left out is a syntax error. */
export function childOf(node: SyntaxNode, field: string): SyntaxNode {
  const child = fieldOf(node, field);
  if (isSyntaxNode(child)) return child;
  throw new TemplateFault('syntax', 'an expression is missing here', positionOf(node));
}

/** A field that may hold a node. */
export function optionalChildOf(node: SyntaxNode, field: string): SyntaxNode | undefined {
  const child = fieldOf(node, field);
  return isSyntaxNode(child) ? child : undefined;
}

/** A field that holds a list of nodes. */
export function childrenOf(node: SyntaxNode, field = 'children'): readonly SyntaxNode[] {
  const children = fieldOf(node, field);
  if (Array.isArray(children) && children.every(isSyntaxNode)) return children;
  throw new TemplateFault('syntax', 'an expression is missing here', positionOf(node));
}

/** A field as it is. */
export function fieldOf(node: SyntaxNode, field: string): unknown {
  return Object.hasOwn(node, field) ? (node as Readonly<Record<string, unknown>>)[field] : undefined;
}

function isSyntaxNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && 'typename' in value && typeof value.typename === 'string';
}
