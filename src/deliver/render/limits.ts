/**
 * What one template may cost. The first group is checked when a template is saved, the second while it renders.
 * Chosen so that the worst template ends within 250 ms and 50 MB on a slow core.
 */
export const limits = {
  /** Characters (UTF-16 units) of template source; for a JSON template the sum over its leaves. */
  sourceChars: 64 * 1024,
  /** Nodes of the syntax tree. */
  nodes: 4_000,
  /** Nesting of expressions and blocks. */
  depth: 40,
  /** Blanks in a row in a template that trims blanks with `-`: the parser trims in quadratic time. */
  blankRun: 1_000,
  /** `{% raw %}` and `{% verbatim %}` sections. */
  rawSections: 50,
  /** Templates in one JSON value. */
  jsonLeaves: 1_000,

  /** Evaluated nodes, visited elements and blocks of 64 characters. */
  steps: 50_000,
  /** Characters built by filters and operators, summed over the render. */
  builtChars: 1024 * 1024,
  /** Characters of the rendered text; for a JSON template of all its leaves. */
  outputChars: 256 * 1024,
  /** Nesting of a value that is rendered, and of a JSON template. */
  valueDepth: 32,
  /** Decimal digits of a number that is counted with or compared. */
  numberDigits: 200,
} as const;
