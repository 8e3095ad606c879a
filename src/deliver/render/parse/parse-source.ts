import lexer from 'nunjucks/src/lexer.js';
import parser from 'nunjucks/src/parser.js';
import { limits } from '../limits.ts';
import { type Position, quoted, TemplateFault } from '../template-error.ts';
import { childrenOf, type SyntaxNode } from './syntax-node.ts';

/**
 * Parses template source with nunjucks' own parser; the only place that calls it. Its compiler, its runtime and its
 * loaders are never imported. Source that would meet one of the parser's two quadratic regular expressions is refused
 * before it gets there.
 */
export function parseSource(source: string): readonly SyntaxNode[] {
  if (source.length > limits.sourceChars) {
    throw new TemplateFault('source_too_large', `a template has at most ${limits.sourceChars} characters: shorten it`);
  }
  checkBlankRuns(source);
  checkRawSections(source);
  const tokens = lexer.lex(source);
  try {
    return childrenOf(new parser.Parser(tokens).parseAsRoot() as SyntaxNode);
  } catch (error) {
    throw faultOf(error, { line: tokens.lineno + 1, column: tokens.colno + 1 });
  }
}

/** Trimming with `-` runs /\s*$/ over the text before the tag: quadratic in the longest run of blanks. */
function checkBlankRuns(source: string): void {
  if (!/\{[{%#]-/.test(source)) return;
  for (const { 0: run, index } of source.matchAll(/\s+/g)) {
    if (run.length > limits.blankRun) {
      throw new TemplateFault(
        'too_complex',
        `more than ${limits.blankRun} blanks in a row: shorten them`,
        positionAt(source, index),
      );
    }
  }
}

/**
 * An unclosed raw section makes the parser search its end from every character. Whatever looks like the beginning of
 * one, even in a comment or a string, must therefore find its end by the same rule as the parser's.
 */
function checkRawSections(source: string): void {
  const beginnings = [...source.matchAll(/\{%-?\s*(raw|verbatim)/g)];
  if (beginnings.length > limits.rawSections) {
    throw new TemplateFault('too_complex', `a template has at most ${limits.rawSections} raw sections: join them`);
  }
  for (const { 0: tag, 1: name = '', index } of beginnings) {
    if (isClosed(source, index + tag.length, name)) continue;
    const message = `the {% ${name} %} section is not closed: add {% end${name} %}`;
    throw new TemplateFault('syntax', message, positionAt(source, index));
  }
}

function isClosed(source: string, from: number, name: string): boolean {
  const tags = new RegExp(`\\{%\\s*(${name}|end${name})\\s*%\\}`, 'g');
  tags.lastIndex = from;
  let level = 1;
  for (let tag = tags.exec(source); tag && level > 0; tag = tags.exec(source)) level += tag[1] === name ? 1 : -1;
  return level === 0;
}

function positionAt(source: string, index: number): Position {
  const before = source.slice(0, index).split('\n');
  return { line: before.length, column: (before.at(-1) ?? '').length + 1 };
}

/** The parser's complaint as ours. It signals in three ways: its own errors, plain errors, and by tripping over the end. */
function faultOf(error: unknown, reached: Position): unknown {
  if (error instanceof TemplateFault || !(error instanceof Error)) return error;
  if (error instanceof RangeError) {
    return new TemplateFault('too_complex', 'the template is nested too deeply: simplify it', reached);
  }
  if (error instanceof TypeError || error instanceof SyntaxError) {
    return new TemplateFault(
      'syntax',
      'the template breaks off inside a tag or an expression, or one is malformed',
      reached,
    );
  }
  const { lineno, colno } = error as { lineno?: unknown; colno?: unknown };
  const isPlaced = typeof lineno === 'number' && typeof colno === 'number';
  const message = complaintOf(error.message);
  return new TemplateFault('syntax', message, isPlaced ? { line: lineno, column: colno } : reached);
}

function complaintOf(message: string): string {
  const [, tag] = /^unknown block tag: (.*)/s.exec(message) ?? [];
  if (tag !== undefined)
    return `unknown or misplaced tag ${quoted(tag)}: the tags are if, elif, else, for, set and raw`;
  const [line = ''] = message.replace(/^parse[A-Za-z]+: /, '').split('\n', 1);
  return `the template is malformed: ${line.slice(0, 120)}`;
}
