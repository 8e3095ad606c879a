import { unknownWord } from '../../../errors.ts';
import type { Filter, KnownArgument } from '../filters/filter.ts';
import { filters } from '../filters/index.ts';
import { legible, type Position, TemplateFault } from '../template-error.ts';
import { countNode, type Reader, refuseNode } from './reader.ts';
import { childOf, childrenOf, fieldOf, positionOf, type SyntaxNode } from './syntax-node.ts';
import type { Expression, Stage } from './tree.ts';

/** `input | a | b(1)`, which the parser nests to the left, as one node. Filters must be on the list. */
export function readPipeline(reader: Reader, node: SyntaxNode, depth: number): Expression {
  const stages: Stage[] = [];
  let current = node;
  while (current.typename === 'Filter') {
    countNode(reader, current, depth);
    const { name, at, input, given } = partsOf(current);
    if (name === 'nl2br') {
      throw new TemplateFault('bad_argument', 'nl2br must be the last filter of a {{ ... }} in an html template', at);
    }
    if (!escapesTwice(reader, name)) stages.push(readStage(reader, { name, at, given }, depth));
    current = input;
  }
  const input = reader.expression(current, depth + 1);
  return stages.length === 0 ? input : { kind: 'pipeline', input, stages: stages.reverse() };
}

/** The expression under a final `nl2br`; undefined if the node does not end in one. */
export function underLineBreaks(node: SyntaxNode): SyntaxNode | undefined {
  if (node.typename !== 'Filter') return undefined;
  const { name, given, input } = partsOf(node);
  return name === 'nl2br' && given.length === 0 ? input : undefined;
}

type FilterParts = { name: string; at: Position; input: SyntaxNode; given: readonly SyntaxNode[] };

function partsOf(node: SyntaxNode): FilterParts {
  const nameNode = childOf(node, 'name');
  const [input, ...given] = childrenOf(childOf(node, 'args'));
  const name = fieldOf(nameNode, 'value');
  if (!input || typeof name !== 'string') throw refuseNode(node);
  return { name, at: positionOf(nameNode), input, given };
}

/** The html sink escapes every value, so `escape` has nothing left to do there. */
function escapesTwice(reader: Reader, name: string): boolean {
  return reader.sink === 'html' && (name === 'escape' || name === 'e');
}

function readStage(reader: Reader, parts: Omit<FilterParts, 'input'>, depth: number): Stage {
  const { name, at } = parts;
  const filter = filters.get(name);
  if (!filter) {
    const written = legible(name);
    const { message } = unknownWord({ path: '', kind: 'filter', written, allowed: [...filters.keys()] });
    throw new TemplateFault('unknown_filter', message, at);
  }
  const given = readArguments(reader, { name, at, given: parts.given, filter }, depth);
  const missing = filter.parameters.slice(0, filter.required ?? 0).find((_parameter, index) => !given[index]);
  const problem = missing ? `the filter ${name} needs the argument ${missing}` : filter.check?.(given.map(knownOf));
  if (problem) throw new TemplateFault('bad_argument', problem, at);
  return { filter, given };
}

type Call = { name: string; at: Position; given: readonly SyntaxNode[]; filter: Filter };

/** The arguments in the order of the parameters; named ones find their place by name. */
function readArguments(reader: Reader, call: Call, depth: number): readonly (Expression | null)[] {
  const { name, at, filter } = call;
  const byPlace = call.given.filter((node) => node.typename !== 'KeywordArgs');
  if (byPlace.length > filter.parameters.length) {
    const takes = filter.parameters.length === 0 ? 'no arguments' : `only ${filter.parameters.join(', ')}`;
    throw new TemplateFault('bad_argument', `the filter ${name} takes ${takes}`, at);
  }
  const given: (Expression | null)[] = filter.parameters.map(() => null);
  for (const [index, node] of byPlace.entries()) given[index] = reader.expression(node, depth + 1);
  for (const pair of call.given.filter((node) => node.typename === 'KeywordArgs').flatMap((node) => childrenOf(node))) {
    countNode(reader, pair, depth);
    const index = parameterIndex(childOf(pair, 'key'), call);
    if (given[index]) throw new TemplateFault('bad_argument', `the filter ${name} got an argument twice`, at);
    given[index] = reader.expression(childOf(pair, 'value'), depth + 1);
  }
  return given;
}

function parameterIndex(key: SyntaxNode, { name, filter }: Call): number {
  const written = key.typename === 'Symbol' ? String(fieldOf(key, 'value')) : key.typename;
  const index = filter.parameters.indexOf(written);
  if (index >= 0) return index;
  const kind = `argument of the filter ${name}`;
  const { message } = unknownWord({
    path: '',
    kind,
    written: legible(written),
    allowed: filter.parameters,
  });
  throw new TemplateFault('bad_argument', message, positionOf(key));
}

function knownOf(argument: Expression | null): KnownArgument {
  return argument?.kind === 'literal' ? argument.value : undefined;
}
