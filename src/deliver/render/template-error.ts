/** Why a template was refused or a render ended; closed, so that a caller can map every code. */
export type TemplateErrorCode =
  | 'source_too_large'
  | 'too_complex'
  | 'syntax'
  | 'forbidden_syntax'
  | 'forbidden_name'
  | 'unknown_name'
  | 'unknown_filter'
  | 'unknown_test'
  | 'bad_argument'
  | 'unsafe_position'
  | 'unsafe_url'
  | 'too_many_steps'
  | 'too_much_text'
  | 'output_too_large'
  | 'value_too_deep';

/**
 * A template that cannot be saved, or a render that was ended. The message names the thing and the next step; line and
 * column count from 1. `path` names the leaf of a JSON template, such as `payload.items[0].name`.
 */
export type TemplateError = {
  readonly code: TemplateErrorCode;
  readonly message: string;
  readonly line?: number;
  readonly column?: number;
  readonly path?: string;
};

/** A place in the template source, counted from 1. */
export type Position = { readonly line: number; readonly column: number };

/** Carries a TemplateError out of a compile or a render; thrown and caught inside this folder only. */
export class TemplateFault extends Error {
  override readonly name = 'TemplateFault';
  readonly detail: TemplateError;

  constructor(code: TemplateErrorCode, message: string, place?: Partial<Position> & { readonly path?: string }) {
    super(message);
    this.detail = { code, message, ...place };
  }

  /** The fault of `thrown`, placed at `at` if it has no place of its own. Any other error is a bug and goes on. */
  static at(thrown: unknown, at: Position | undefined): TemplateFault {
    const { code, message, ...place } = templateErrorOf(thrown);
    return new TemplateFault(code, message, { ...at, ...place });
  }

  /** The fault of `thrown` with the path of the JSON leaf it arose in. Any other error is a bug and goes on. */
  static inLeaf(thrown: unknown, path: string): TemplateFault {
    const { code, message, ...place } = templateErrorOf(thrown);
    return new TemplateFault(code, message, path ? { ...place, path } : place);
  }
}

/** The error carried by a fault. Any other error is a bug and goes on. */
export function templateErrorOf(thrown: unknown): TemplateError {
  if (thrown instanceof TemplateFault) return thrown.detail;
  throw thrown;
}

/** A template error for people: `2:14: unknown name "paylod": did you mean "payload"?`. */
export function templateMessage({ message, line, column = 1 }: TemplateError): string {
  return line === undefined ? message : `${line}:${column}: ${message}`;
}

/** What a tenant wrote, fit to stand in a message: one line, at most 40 characters. */
export function legible(written: string): string {
  const line = written.slice(0, 41).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, ' ');
  return line.length > 40 ? `${line.slice(0, 40)}...` : line;
}

/** The same in quotes. */
export function quoted(written: string): string {
  return `"${legible(written)}"`;
}
