import { readTemplate } from './parse/read-template.ts';
import type { Expression, TemplateTree } from './parse/tree.ts';
import { buildExpression, type Evaluate } from './run/build-expression.ts';
import { buildBody, type Writing } from './run/build-statement.ts';
import { type Allowance, Run } from './run/run.ts';
import { buildStraight, type RenderStraight } from './run/straight.ts';
import { sinks } from './sinks/index.ts';
import type { SinkName } from './sinks/sink.ts';
import { TemplateFault } from './template-error.ts';

/** How a template is compiled. */
export type ProgramOptions = { readonly sink: SinkName; readonly roots?: readonly string[] | undefined };

/** A template ready to run. */
export type Program = {
  readonly paths: readonly (readonly string[])[];
  /** The short way, if the template is simple enough. */
  readonly straight: RenderStraight | undefined;
  /** Renders text within an allowance that may be shared with other programs; throws a TemplateFault with its place. */
  readonly render: (context: Record<string, unknown>, allowance: Allowance) => string;
  /** The value of a template that is exactly one `{{ ... }}` with nothing around it. */
  readonly evaluate: ((context: Record<string, unknown>, allowance: Allowance) => unknown) | undefined;
};

/** Parses, checks and builds; throws a TemplateFault for a template that cannot be saved. */
export function buildProgram(source: string, options: ProgramOptions): Program {
  const tree = readTemplate(source, options);
  const sink = sinks[options.sink];
  const writing: Writing = { sink, placement: sink.place(tree.body) };
  const sole = soleExpressionOf(tree);
  return {
    paths: tree.paths,
    straight: buildStraight(tree.body, writing),
    render: renderer(tree, writing),
    evaluate: sole && evaluator(tree, buildExpression(sole)),
  };
}

function renderer(tree: TemplateTree, writing: Writing): Program['render'] {
  const body = buildBody(tree.body, writing);
  return (context, allowance) => {
    const run = new Run(context, tree, allowance);
    return placed(run, () => {
      body(run);
      writing.placement.finish?.(run.text);
      return run.text;
    });
  };
}

function evaluator(tree: TemplateTree, evaluate: Evaluate): Program['evaluate'] {
  return (context, allowance) => {
    const run = new Run(context, tree, allowance);
    run.at = tree.body[0]?.at;
    return placed(run, () => evaluate(run));
  };
}

/** Does the work; a fault gets the place of the statement that was running. */
function placed<T>(run: Run, work: () => T): T {
  try {
    return work();
  } catch (fault) {
    throw TemplateFault.at(fault, run.at);
  }
}

function soleExpressionOf(tree: TemplateTree): Expression | undefined {
  const [only, second] = tree.body;
  return only?.kind === 'output' && !second ? only.value : undefined;
}
