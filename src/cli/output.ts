import { stripVTControlCharacters, styleText } from 'node:util';
import { errorCodes, type WorkflowError } from '../errors.ts';
import { stringifyJson } from '../model/json.ts';
import type { Result } from '../model/result.ts';

/** Options every command has. */
export type OutputOptions = { readonly json?: boolean };

/** Prints an answer: as JSON with `--json`, else as `text` makes it. */
export function print<T>(options: OutputOptions, value: T, text: (value: T) => string): void {
  process.stdout.write(`${options.json ? stringifyJson(value) : harmless(text(value))}\n`);
}

/** Tenants write much of what is printed: of what a terminal obeys only colours and line breaks are left. */
export function harmless(text: string): string {
  return text.replace(/\p{Cc}(?=(\[\d{1,2}m)?)/gu, (sign, colour?: string) =>
    sign === '\n' || (sign === '\u001b' && colour !== undefined) ? sign : ' ',
  );
}

/**
 * Prints the value of a result. A refusal goes to standard error (with `--json` as JSON) and sets the exit code of its kind
 * (see `errors.ts`).
 */
export function printResult<T>(
  options: OutputOptions,
  result: Result<T, WorkflowError>,
  text: (value: T) => string,
): void {
  if (result.ok) print(options, result.value, text);
  else printError(options, result.error);
}

/** Prints a refusal with all its issues, and sets the exit code. */
export function printError(options: OutputOptions, error: WorkflowError): void {
  process.exitCode = errorCodes[error.code].exitCode;
  if (options.json) {
    process.stderr.write(`${JSON.stringify({ error })}\n`);
    return;
  }
  const lines = error.issues.length > 1 ? error.issues.map((issue) => `  - ${issue.path}: ${issue.message}`) : [];
  process.stderr.write(`${harmless([`${red('error')} ${error.message}`, ...lines].join('\n'))}\n`);
}

/** Rows as aligned columns under their headings; `empty` when there is none. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[], empty: string): string {
  if (rows.length === 0) return empty;
  const lines = [headings, ...rows].map((cells) => cells.map((cell) => cell.replaceAll(/\s/g, ' ')));
  const widths = headings.map((_heading, column) => Math.max(...lines.map((cells) => widthOf(cells[column] ?? ''))));
  const [head = '', ...body] = lines.map((cells) =>
    cells
      .map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - widthOf(cell)))
      .join('  ')
      .trimEnd(),
  );
  return [dim(head), ...body].join('\n');
}

/** How many characters of it are seen. */
function widthOf(cell: string): number {
  return stripVTControlCharacters(cell).length;
}

/** What a page shows, and how the next one is asked for if there is one. */
export function withMore(text: string, nextCursor: string | null): string {
  return nextCursor === null ? text : `${text}\nmore: --cursor ${nextCursor}`;
}

export const bold = (text: string) => styleText('bold', text);
export const dim = (text: string) => styleText('dim', text);
export const red = (text: string) => styleText('red', text);
export const green = (text: string) => styleText('green', text);
export const yellow = (text: string) => styleText('yellow', text);
