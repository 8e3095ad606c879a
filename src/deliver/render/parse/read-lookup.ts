import { type Position, TemplateFault } from '../template-error.ts';
import { countNode, type Reader } from './reader.ts';
import { checkKey, checkName } from './scope.ts';
import { childOf, fieldOf, positionOf, type SyntaxNode } from './syntax-node.ts';
import type { Expression, LoopField, StaticKey } from './tree.ts';

const loopFields: ReadonlySet<string> = new Set([
  'index',
  'index0',
  'revindex',
  'revindex0',
  'first',
  'last',
  'length',
]);

/** A name alone: a variable, or a whole root of the context. */
export function readName(reader: Reader, node: SyntaxNode): Expression {
  return readKeys(reader, node, []);
}

/** `a.b["c"][d]`, which the parser nests to the left, as one node; notes the path if it begins at the context. */
export function readLookup(reader: Reader, node: SyntaxNode, depth: number): Expression {
  const keys: Expression[] = [];
  let base = node;
  while (base.typename === 'LookupVal') {
    countNode(reader, base, depth);
    keys.push(readKey(reader, childOf(base, 'val'), depth));
    base = childOf(base, 'target');
  }
  keys.reverse();
  if (base.typename === 'Symbol') return readKeys(reader, base, keys);
  return { kind: 'member', target: reader.expression(base, depth + 1), keys };
}

function readKey(reader: Reader, node: SyntaxNode, depth: number): Expression {
  const key = reader.expression(node, depth + 1);
  if (key.kind === 'literal' && typeof key.value === 'string') checkKey(key.value, positionOf(node));
  return key;
}

function readKeys(reader: Reader, node: SyntaxNode, keys: readonly Expression[]): Expression {
  const at = positionOf(node);
  const name = checkName(fieldOf(node, 'value'), at);
  if (name === 'loop') return readLoop(reader, keys, at);
  const binding = reader.scope.resolve(name, at);
  if (binding.kind === 'variable') {
    const variable: Expression = { kind: 'variable', slot: binding.slot };
    return keys.length === 0 ? variable : { kind: 'member', target: variable, keys };
  }
  const staticKeys = staticKeysOf(keys);
  noteRead(reader, name, staticKeys);
  const path: Expression = { kind: 'path', root: name, keys: staticKeys };
  const rest = keys.slice(staticKeys.length);
  return rest.length === 0 ? path : { kind: 'member', target: path, keys: rest };
}

/** The keys up to the first that is computed. */
function staticKeysOf(keys: readonly Expression[]): readonly StaticKey[] {
  const known: StaticKey[] = [];
  for (const key of keys) {
    if (key.kind !== 'literal' || (typeof key.value !== 'string' && typeof key.value !== 'number')) break;
    known.push(key.value);
  }
  return known;
}

/** A path to check at save ends before the first index, and before `length`, which lists and texts have of themselves. */
function noteRead(reader: Reader, root: string, keys: readonly StaticKey[]): void {
  const index = keys.findIndex((key) => typeof key !== 'string');
  const names = (index < 0 ? keys : keys.slice(0, index)).map(String);
  if (index < 0 && names.length > 1 && names.at(-1) === 'length') names.pop();
  reader.scope.read([root, ...names]);
}

function readLoop(reader: Reader, keys: readonly Expression[], at: Position): Expression {
  const loop = reader.scope.currentLoop;
  if (loop === undefined) throw new TemplateFault('unknown_name', '"loop" exists only inside {% for %}', at);
  const [key, second] = keys;
  const field = key?.kind === 'literal' ? key.value : undefined;
  if (isLoopField(field) && !second) return { kind: 'loop', loop, field };
  throw new TemplateFault('unknown_name', `loop has the fields ${[...loopFields].join(', ')}: name one of them`, at);
}

function isLoopField(field: unknown): field is LoopField {
  return typeof field === 'string' && loopFields.has(field);
}
