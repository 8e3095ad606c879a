import { err, ok, type Result } from '../../../model/result.ts';
import { limits } from '../limits.ts';
import type { Statement, StaticKey } from '../parse/tree.ts';
import type { Escape } from '../sinks/sink.ts';
import { type Position, type TemplateError, TemplateFault } from '../template-error.ts';
import { readPath } from './build-expression.ts';
import type { Writing } from './build-statement.ts';
import { Meter } from './meter.ts';
import { outputTooLarge } from './run.ts';
import { textOf } from './value.ts';

type Hole = {
  readonly root: string;
  readonly keys: readonly StaticKey[];
  readonly escape: Escape;
  readonly at: Position;
  readonly after: string;
};

/** Renders a template of only text and `{{ a.b.c }}`. */
export type RenderStraight = (context: Record<string, unknown>) => Result<string, TemplateError>;

/**
 * The short way for a template of only text and `{{ a.b.c }}`, which most messages are: no statements, no variables.
 * Same result and same limits as the long way; undefined if the template needs more.
 */
export function buildStraight(body: readonly Statement[], writing: Writing): RenderStraight | undefined {
  let before = '';
  const holes: Hole[] = [];
  for (const statement of body) {
    if (statement.kind === 'text') {
      const text = writing.sink.literal(statement.text);
      const last = holes.pop();
      if (last) holes.push({ ...last, after: last.after + text });
      else before += text;
    } else if (statement.kind === 'output' && statement.value.kind === 'path') {
      const { root, keys } = statement.value;
      holes.push({ root, keys, at: statement.at, escape: writing.placement.escapeOf(statement), after: '' });
    } else return undefined;
  }
  const { finish } = writing.placement;
  return (context) => renderStraight(context, { before, holes, finish });
}

type Straight = {
  readonly before: string;
  readonly holes: readonly Hole[];
  readonly finish: ((text: string) => void) | undefined;
};

function renderStraight(context: Record<string, unknown>, straight: Straight): Result<string, TemplateError> {
  const { before, holes, finish } = straight;
  const meter = new Meter();
  let text = before;
  let at: Position | undefined;
  try {
    for (const hole of holes) {
      at = hole.at;
      const value = textOf(readPath(context, hole.root, hole.keys), meter);
      if (value.length > limits.outputChars) throw outputTooLarge();
      text += hole.escape(value) + hole.after;
      if (text.length > limits.outputChars) throw outputTooLarge();
    }
    finish?.(text);
    return ok(text);
  } catch (fault) {
    return err(TemplateFault.at(fault, at).detail);
  }
}
