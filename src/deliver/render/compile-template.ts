import { err, ok, type Result } from '../../model/result.ts';
import { buildProgram, type Program } from './program.ts';
import { Allowance } from './run/run.ts';
import type { SinkName } from './sinks/sink.ts';
import { type TemplateError, templateErrorOf } from './template-error.ts';

/**
 * Where the rendered text goes, and which top-level names its context has. `html`: values escaped, and only where
 * escaping is enough; `text`: as it is; `line`: one line, for subjects and header values; `url`: values percent-encoded;
 * `json`: text that is serialized later. Without `roots` every name is allowed and a missing one renders as nothing.
 */
export type TemplateOptions = { readonly sink: SinkName; readonly roots?: readonly string[] };

/** A template that passed every check at save; keep it, it is worth far more than its source. */
export type Template = {
  /**
   * Every dotted path that is read from the context, root first, such as `['payload', 'customer', 'name']`; each once.
   * A path ends before its first index, since what an array holds is not declared.
   */
  readonly paths: readonly (readonly string[])[];
  /** Renders within the limits. Same context, same text; a render never throws for what a template or event holds. */
  readonly render: (context: Record<string, unknown>) => Result<string, TemplateError>;
};

/**
 * Compiles a tenant's template: nunjucks syntax, a closed subset of the language. No code is generated, nothing outside
 * the context can be reached, and every render ends within its budget. A refusal carries line and column.
 */
export function compileTemplate(source: string, options: TemplateOptions): Result<Template, TemplateError> {
  try {
    const program = buildProgram(source, options);
    return ok({ paths: program.paths, render: program.straight ?? ((context) => renderText(program, context)) });
  } catch (fault) {
    return err(templateErrorOf(fault));
  }
}

function renderText(program: Program, context: Record<string, unknown>): Result<string, TemplateError> {
  try {
    return ok(program.render(context, new Allowance()));
  } catch (fault) {
    return err(templateErrorOf(fault));
  }
}
