import { limits } from '../limits.ts';
import type { SinkName } from '../sinks/sink.ts';
import { TemplateFault } from '../template-error.ts';
import type { Scope } from './scope.ts';
import { positionOf, type SyntaxNode } from './syntax-node.ts';
import type { Expression } from './tree.ts';

/** What the readers of one template share; `expression` reads any expression, so that its parts need not know each other. */
export type Reader = {
  readonly scope: Scope;
  readonly sink: SinkName;
  readonly budget: { nodes: number };
  readonly expression: (node: SyntaxNode, depth: number) => Expression;
};

/** Counts a node; refuses a template with too many of them or nested too deeply. */
export function countNode(reader: Reader, node: SyntaxNode, depth: number): void {
  reader.budget.nodes -= 1;
  if (reader.budget.nodes < 0) {
    throw new TemplateFault(
      'too_complex',
      `a template has at most ${limits.nodes} nodes: simplify it`,
      positionOf(node),
    );
  }
  if (depth > limits.depth) {
    throw new TemplateFault(
      'too_complex',
      `the template is nested deeper than ${limits.depth}: simplify it`,
      positionOf(node),
    );
  }
}

const alone = 'a template stands alone: it has no blocks, macros or other templates';
const onlyPlainTags = 'this tag is not part of the language: use if, elif, else, for, set or raw';
const sentences: Readonly<Record<string, string>> = {
  AsyncAll: onlyPlainTags,
  AsyncEach: onlyPlainTags,
  Block: alone,
  Caller: alone,
  Capture: 'a block of text cannot be captured or filtered: write {{ value | filter }} or {% set name = value %}',
  Dict: 'an object cannot be written in a template: use one from the event',
  Extends: alone,
  FromImport: alone,
  FunCall: 'nothing can be called in a template: use a filter, as in {{ payload.name | upper }}',
  IfAsync: onlyPlainTags,
  Import: alone,
  Include: alone,
  KeywordArgs: 'an argument has a name only in a filter, as in {{ list | sort(reverse=true) }}',
  Macro: alone,
  Switch: onlyPlainTags,
};

/** Refuses a node that is not on the allow-list. */
export function refuseNode(node: SyntaxNode): TemplateFault {
  const known = Object.hasOwn(sentences, node.typename) ? sentences[node.typename] : undefined;
  const sentence = known ?? `${node.typename} is not part of the template language: remove it`;
  return new TemplateFault('forbidden_syntax', sentence, positionOf(node));
}
