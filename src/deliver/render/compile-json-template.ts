import type { Json } from '../../model/json.ts';
import { err, ok, type Result } from '../../model/result.ts';
import { limits } from './limits.ts';
import { buildProgram, type Program } from './program.ts';
import { jsonOf, objectOf } from './run/json-of.ts';
import { Allowance } from './run/run.ts';
import { type TemplateError, TemplateFault, templateErrorOf } from './template-error.ts';

/** `path` is what stands before the path of a leaf in errors, such as `actions[0].payload`. */
export type JsonTemplateOptions = { readonly roots?: readonly string[]; readonly path?: string };

/** A JSON value with templates in its strings. */
export type JsonTemplate = {
  /** Every dotted path that any leaf reads from the context; see `Template.paths`. */
  readonly paths: readonly (readonly string[])[];
  /** Renders every leaf within one common budget. Integers beyond 2^53 stay bigints: serialize with `stringifyJson`. */
  readonly render: (context: Record<string, unknown>) => Result<Json, TemplateError>;
};

/**
 * Compiles a JSON value whose strings are templates (keys stay as they are). A string that is exactly one `{{ ... }}`
 * gives the value itself: number, list, object, true, false, null for what is missing. Every other string gives text.
 * JSON is never built as text, so no value can break out of its place. Errors carry the path of the leaf.
 */
export function compileJsonTemplate(
  value: unknown,
  options: JsonTemplateOptions = {},
): Result<JsonTemplate, TemplateError> {
  const compilation: Compilation = { roots: options.roots, leaves: 0, chars: 0, paths: new Map() };
  try {
    const node = compileNode(value, options.path ?? '', compilation, 0);
    return ok({ paths: [...compilation.paths.values()], render: (context) => renderJson(node, context) });
  } catch (fault) {
    return err(templateErrorOf(fault));
  }
}

type Compilation = {
  readonly roots: readonly string[] | undefined;
  leaves: number;
  chars: number;
  readonly paths: Map<string, readonly string[]>;
};

type JsonNode =
  | { readonly kind: 'fixed'; readonly value: Json }
  | { readonly kind: 'leaf'; readonly program: Program; readonly path: string }
  | { readonly kind: 'list'; readonly items: readonly JsonNode[] }
  | { readonly kind: 'object'; readonly entries: readonly (readonly [string, JsonNode])[] };

function compileNode(value: unknown, path: string, compilation: Compilation, depth: number): JsonNode {
  if (depth > limits.valueDepth) {
    throw new TemplateFault('too_complex', `a JSON template has at most ${limits.valueDepth} levels: make it flatter`, {
      path,
    });
  }
  if (typeof value === 'string') return compileLeaf(value, path, compilation);
  if (Array.isArray(value)) {
    return {
      kind: 'list',
      items: value.map((item, index) => compileNode(item, `${path}[${index}]`, compilation, depth + 1)),
    };
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(([key, item]): [string, JsonNode] => {
      return [key, compileNode(item, path ? `${path}.${key}` : key, compilation, depth + 1)];
    });
    return { kind: 'object', entries };
  }
  const isScalar = typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint';
  return { kind: 'fixed', value: isScalar ? value : null };
}

function compileLeaf(source: string, path: string, compilation: Compilation): JsonNode {
  if (!/\{[{%#]|#\}/.test(source)) return { kind: 'fixed', value: source };
  compilation.leaves += 1;
  compilation.chars += source.length;
  if (compilation.leaves > limits.jsonLeaves || compilation.chars > limits.sourceChars) {
    const most = `${limits.jsonLeaves} templates of together ${limits.sourceChars} characters`;
    throw new TemplateFault('source_too_large', `a JSON template has at most ${most}: shorten it`, { path });
  }
  try {
    const program = buildProgram(source, { sink: 'json', roots: compilation.roots });
    for (const read of program.paths) compilation.paths.set(JSON.stringify(read), read);
    return { kind: 'leaf', program, path };
  } catch (fault) {
    throw TemplateFault.inLeaf(fault, path);
  }
}

function renderJson(node: JsonNode, context: Record<string, unknown>): Result<Json, TemplateError> {
  const allowance = new Allowance();
  try {
    return ok(renderNode(node, context, allowance));
  } catch (fault) {
    return err(templateErrorOf(fault));
  }
}

function renderNode(node: JsonNode, context: Record<string, unknown>, allowance: Allowance): Json {
  switch (node.kind) {
    case 'fixed':
      return node.value;
    case 'list':
      return node.items.map((item) => renderNode(item, context, allowance));
    case 'object':
      return objectOf(node.entries.map(([key, item]) => [key, renderNode(item, context, allowance)]));
    case 'leaf':
      return renderLeaf(node, context, allowance);
  }
}

function renderLeaf(leaf: JsonNode & { kind: 'leaf' }, context: Record<string, unknown>, allowance: Allowance): Json {
  const { program, path } = leaf;
  try {
    return program.evaluate
      ? jsonOf(program.evaluate(context, allowance), allowance)
      : program.render(context, allowance);
  } catch (fault) {
    throw TemplateFault.inLeaf(fault, path);
  }
}
